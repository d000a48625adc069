import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../errors.ts';

const LABELS = { ok: 'ok       ', mismatch: 'MISMATCH ', unchecked: 'unchecked' } as const;

/** `dpfl verify <run>`: checks a run directory against itself, and against a round done again. */
export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .argument('<run>', 'run directory, such as runs/quickstart-001')
    .option(
      '--round <n>',
      'replay up to this round (default: the last that one step from a checkpoint reaches)',
      wholeRound,
    )
    .option('--json', 'print the findings as JSON on stdout')
    .summary('check that a run directory tells the truth')
    .description(
      'Checks the files of a run: that the ledger accounts for every round; that epsilon, computed anew from it, is what records and report ' +
        'state; that checkpoints are whole and hold, like model.onnx, the parameters whose hash was recorded; and replays a round from its ' +
        'checkpoint to compare the parameters. Noise from the cryptographic source cannot be replayed; everything else is checked then.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl verify runs/quickstart-001
  $ dpfl verify runs/quickstart-001 --round 40

Exit codes: 0 nothing is wrong, 1 something does not match, 2 there is no such run or round`,
    )
    .action(async (run: string, options: { round?: number; json?: boolean }) => {
      const { verifyRun } = await import('../verify.ts');
      const findings = await verifyRun(run, options.round);
      const lines = findings.map(({ status, place, message }) => `${LABELS[status]} ${place}: ${message}`);
      process.stdout.write(`${options.json ? JSON.stringify(findings, undefined, 2) : lines.join('\n')}\n`);
      if (findings.some(({ status }) => status === 'mismatch')) process.exitCode = EXIT.bug;
    });
}

function wholeRound(text: string): number {
  const round = Number(text);
  if (!Number.isSafeInteger(round) || round < 1)
    throw new InvalidArgumentError('give the number of a round, 1 or more.');
  return round;
}
