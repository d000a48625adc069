import type { Command } from 'commander';
import { addCheckCommand } from './model-check.ts';
import { addCompileCommand } from './model-compile.ts';
import { addGradientsCommand } from './model-gradients.ts';

/** `dpfl model …`: whether dpfl can train an ONNX model, what its layers are, and what its gradients are. */
export function addModelCommand(program: Command): void {
  const model = program.command('model').summary('look at ONNX models').description('Look at ONNX models.');
  model
    .command('inspect')
    .argument('<file>', 'ONNX file')
    .option('--json', 'print JSON on stdout')
    .summary('list layers; say whether the model can be trained')
    .description(
      'Lists the trainable layers of an ONNX model (the unit of per-layer clipping) and says whether every operator ' +
        'can be differentiated.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl model inspect model.onnx
  $ dpfl model inspect model.onnx --json | jq .parameters`,
    )
    .action(async (file: string, options: { json?: boolean }) => {
      const { inspectionText, inspectModelFile } = await import('../inspect-model.ts');
      const inspection = await inspectModelFile(file);
      process.stdout.write(options.json ? `${JSON.stringify(inspection, null, 2)}\n` : inspectionText(inspection));
    });
  addCheckCommand(model);
  addGradientsCommand(model);
  addCompileCommand(model);
}
