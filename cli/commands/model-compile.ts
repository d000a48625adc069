import { type Command, Option } from 'commander';
import type { Objective } from '../../graph/binding.ts';
import type { AdaptationOptions } from '../adapted-model-file.ts';
import { ADAPTATION_EXAMPLE, addAdaptationOptions } from './adaptation-options.ts';

/** `dpfl model compile <file>`: the training step as a file. */
export function addCompileCommand(model: Command): void {
  const command = model
    .command('compile')
    .argument('<file>', 'ONNX file')
    .requiredOption('-o, --output <file>', 'where the compiled graph goes')
    .addOption(
      new Option('--objective <objective>', 'what to train for; by default read off the logits').choices([
        'classification',
        'transcription',
      ]),
    );
  addAdaptationOptions(command)
    .summary('write the compiled training step as an ONNX file')
    .description(
      "Compiles a client's local training (forward, loss, backward, clipping, SGD steps) into one ONNX file that stock " +
        'onnxruntime runs and Netron opens; nodes are named after the node they are the gradient of.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl model compile model.onnx -o step.onnx
  $ dpfl model compile model.onnx -o step.onnx ${ADAPTATION_EXAMPLE}`,
    )
    .action(async (file: string, options: AdaptationOptions & { output: string; objective?: Objective }) => {
      const { compileModelFile } = await import('../compile-model.ts');
      const onnx = await compileModelFile(file, options.objective, options);
      const { writeOutput } = await import('../write-output.ts');
      writeOutput(options.output, onnx);
      process.stderr.write(`wrote ${options.output} (${onnx.length} bytes)\n`);
    });
}
