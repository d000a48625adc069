import { Command } from 'commander';
import { addAggregatorCommand } from './commands/aggregator.ts';
import { addCertsCommand } from './commands/certs.ts';
import { addHealthCommand } from './commands/health.ts';
import { addModelCommand } from './commands/model.ts';
import { addPrivacyCommand } from './commands/privacy.ts';
import { addReportCommand } from './commands/report.ts';
import { addRunCommand } from './commands/run.ts';
import { addServerCommand } from './commands/server.ts';
import { addVerifyCommand } from './commands/verify.ts';
import { addWorkerCommand } from './commands/worker.ts';
import { version } from './version.ts';

/**
 * The command line of dpfl. Commands only describe themselves here; each loads what it needs when it is called,
 * so that `dpfl privacy epsilon` never waits for onnxruntime.
 * Usage errors are thrown as CommanderError after commander has printed them.
 */
export function createProgram(): Command {
  const program = new Command('dpfl')
    .description(
      'Differentially private federated learning: train an ONNX model on simulated users, with a user-level epsilon.',
    )
    .version(version(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'dpfl: ').replace('\n(Did you', ' (did you')),
    })
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl run configs/quickstart.yaml               train; print accuracy and epsilon; write a run directory
  $ dpfl run my.yaml --set federation.rounds=10    the same with one key changed
  $ dpfl report runs/quickstart-001                write a run's report again
  $ dpfl verify runs/quickstart-001                check it: ledger, epsilon, checkpoints, a round done again
  $ dpfl privacy epsilon --noise-multiplier 1 --expected-cohort 1000 --population 1000000 --steps 2000 --delta 1e-9
  $ dpfl model inspect model.onnx                  can dpfl train this model?
  $ dpfl model check model.onnx                    what does a training step cost?
  $ dpfl model grad model.onnx --case case.json    loss and gradients of one batch

Every command explains itself: dpfl run --help
Exit codes: 0 done, 1 a bug in dpfl (or a mismatch that dpfl verify found), 2 a mistake in configuration, flags or data, 130 interrupted`,
    );
  addRunCommand(program);
  addServerCommand(program);
  addWorkerCommand(program);
  addAggregatorCommand(program);
  addHealthCommand(program);
  addCertsCommand(program);
  addReportCommand(program);
  addVerifyCommand(program);
  addPrivacyCommand(program);
  addModelCommand(program);
  return program;
}
