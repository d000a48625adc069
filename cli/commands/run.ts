import type { Command } from 'commander';
import { addRunOptions, OVERRIDE_HELP, type RunOptions } from './run-options.ts';

/** `dpfl run <config>`: a whole federated training on this machine. */
export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .argument('[config]', 'YAML file that describes the run')
    .summary('train on this machine')
    .description(
      'Trains a model on simulated users on this machine: starts the server and its worker processes, ' +
        'prints progress, and writes a run directory with the trained ONNX model, the privacy ledger and a report.',
    );
  addRunOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl run configs/quickstart.yaml
  $ dpfl run configs/quickstart.yaml --set federation.workers=8 --output /tmp/runs
  $ dpfl run configs/cifar10-cnn.yaml --set data.path=cifar-10-batches-bin --json > result.json
  $ dpfl run --resume runs/quickstart-001

Ctrl-C stops after the round under way; --resume continues with the same result as an uninterrupted run.
${OVERRIDE_HELP}`,
    )
    .action(async (config: string | undefined, options: RunOptions) => {
      const { train } = await import('../train.ts');
      await train(config, options);
    });
}
