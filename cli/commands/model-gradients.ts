import { once } from 'node:events';
import type { Command } from 'commander';
import type { AdaptationOptions } from '../adapted-model-file.ts';
import { addAdaptationOptions } from './adaptation-options.ts';

/** `dpfl model grad <file>`: loss and gradients of one batch, to compare with another framework. */
export function addGradientsCommand(model: Command): void {
  const command = model
    .command('grad')
    .argument('<file>', 'ONNX file')
    .requiredOption('--case <file>', 'JSON file with the inputs, the loss and its target')
    .option('-o, --output <file>', 'write the JSON here instead of to stdout');
  addAdaptationOptions(command, true)
    .summary('loss and gradients of one batch, to compare with another framework')
    .description(
      'Runs one forward and backward pass and writes the loss and the gradient of every trainable tensor as JSON.\n\n' +
        'The case: {"inputs": {name: tensor}, "loss": {"kind": "cross-entropy" | "ctc" | "mse" | "bce", "output": name,\n' +
        '"target": tensor, "input_lengths"?: tensor, "target_lengths"?: tensor}}, where a tensor is {"dims": [...],\n' +
        '"type": "float32" | "int64", "data": [...]}. Every loss is a mean, as PyTorch reduces it. CTC: targets [batch,\n' +
        'length] padded with the blank 0; a target that does not fit its frames adds nothing.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl model grad model.onnx --case case.json
  $ dpfl model grad model.onnx --case case.json -o out.json`,
    )
    .action(async (file: string, options: AdaptationOptions & { case: string; output?: string }) => {
      const { gradientsJson, modelGradientsOfFiles } = await import('../model-gradients.ts');
      const pieces = gradientsJson(await modelGradientsOfFiles(file, options.case, options));
      if (options.output) {
        const { writeOutput } = await import('../write-output.ts');
        writeOutput(options.output, pieces);
        return;
      }
      for (const piece of pieces) if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
    });
}
