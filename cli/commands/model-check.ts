import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { AdaptationOptions } from '../adapted-model-file.ts';
import { ADAPTATION_EXAMPLE, addAdaptationOptions } from './adaptation-options.ts';

interface CheckOptions extends AdaptationOptions {
  readonly batchSize: number;
  readonly length: number;
  readonly json?: boolean;
}

/** `dpfl model check <file>`: trainable or not, and what a training step costs. */
export function addCheckCommand(model: Command): void {
  const command = model
    .command('check')
    .argument('<file>', 'ONNX file')
    .option('--batch-size <n>', 'examples of a mini-batch', positiveInteger, 10)
    .option(
      '--length <n>',
      'size taken for every other dimension the model leaves open, such as frames',
      positiveInteger,
      100,
    )
    .option('--json', 'print JSON on stdout');
  addAdaptationOptions(command)
    .summary('trainable or not; memory and compute of a training step')
    .description(
      'Says whether dpfl can train every weight of an ONNX model, lists every node that stands in the way, and estimates the ' +
        'memory of a training step and the GFLOP per example.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl model check model.onnx
  $ dpfl model check model.onnx --batch-size 4 --length 600 --json
  $ dpfl model check model.onnx ${ADAPTATION_EXAMPLE}`,
    )
    .action(async (file: string, options: CheckOptions) => {
      const { checkModelFile, checkText } = await import('../check-model.ts');
      const check = await checkModelFile(file, { batch: options.batchSize, length: options.length }, options);
      process.stdout.write(options.json ? `${JSON.stringify(check, null, 2)}\n` : checkText(check));
    });
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return value;
}
