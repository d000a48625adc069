import type { Command } from 'commander';
import type { CurveFlags } from '../curve.ts';
import type { EpsilonFlags } from '../epsilon.ts';
import type { NoiseFlags } from '../noise.ts';
import type { PlanFlags } from '../plan.ts';

/** `dpfl privacy epsilon`: what a mechanism guarantees, without training anything. */
export function addPrivacyCommand(program: Command): void {
  const privacy = program
    .command('privacy')
    .summary('compute privacy guarantees')
    .description('Computes privacy guarantees without training anything.');
  privacy
    .command('epsilon')
    .option('--noise-multiplier <Z>', 'standard deviation of the noise on the sum, over the clipping bound')
    .option('--sampling-rate <Q>', 'probability that a user joins a step')
    .option('--expected-cohort <S>', 'expected users per step; with --population it gives q = S / K')
    .option('--population <K>', 'number of users')
    .option('--steps <T>', 'number of central steps')
    .option('--delta <D>', 'delta of the (epsilon, delta) guarantee')
    .option('--accountant <name>', 'how to account: pld (certified interval) or rdp', 'pld')
    .option('--group-size <N>', 'users of a group to bound epsilon for as well, beside a single user')
    .option('--batch <file>', 'read one JSON object per line, print one JSON answer per line')
    .option('--json', 'print JSON on stdout')
    .summary('epsilon of Poisson-sampled Gaussian noise')
    .description(
      'Prints epsilon of T steps of the Poisson-sampled Gaussian mechanism: user level, adding or removing one user.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl privacy epsilon --noise-multiplier 0.6144 --expected-cohort 204800 --population 69506000 --steps 2034 --delta 1e-9
  $ dpfl privacy epsilon --noise-multiplier 1 --sampling-rate 0.001 --steps 2000 --delta 1e-9 --json
  $ dpfl privacy epsilon --batch cases.jsonl    keys: noiseMultiplier, samplingRate, steps, delta, accountant

Noise stated on the average (the paper's sigma_DP) becomes Z = sigma_DP * S; on each client's delta, Z = sigma * sqrt(S).`,
    )
    .action(async (flags: EpsilonFlags & { json?: boolean; batch?: string }) => {
      if (flags.batch !== undefined) {
        const { epsilonBatch } = await import('../epsilon-batch.ts');
        for await (const answer of epsilonBatch(flags.batch, flags.accountant)) {
          process.stdout.write(`${JSON.stringify(answer)}\n`);
        }
        return;
      }
      const { epsilonJson, epsilonOfFlags, epsilonText } = await import('../epsilon.ts');
      const answer = epsilonOfFlags(flags);
      process.stdout.write(flags.json ? `${JSON.stringify(epsilonJson(answer))}\n` : epsilonText(answer));
    });
  addNoiseCommand(privacy);
  addTableCommand(privacy);
  addCurveCommand(privacy);
  addPlanCommand(privacy);
  addAuditCommand(privacy);
}

function addNoiseCommand(privacy: Command): void {
  privacy
    .command('noise')
    .option('--epsilon <E>', 'target epsilon')
    .option('--delta <D>', 'target delta')
    .option('--sampling-rate <Q>', 'probability that a user joins a step')
    .option('--expected-cohort <S>', 'expected users per step; with --population it gives q = S / K')
    .option('--population <K>', 'number of users')
    .option('--steps <T>', 'number of central steps')
    .option('--accountant <name>', 'how to account: pld or rdp', 'pld')
    .option('--json', 'print JSON on stdout')
    .summary('smallest noise multiplier for a target epsilon')
    .description('Prints the smallest noise multiplier with which T steps stay within (epsilon, delta).')
    .addHelpText(
      'after',
      `
Example:
  $ dpfl privacy noise --epsilon 8 --delta 1e-9 --sampling-rate 0.0295 --steps 2006`,
    )
    .action(async (flags: NoiseFlags & { json?: boolean }) => {
      const { noiseJson, noiseOfFlags, noiseText } = await import('../noise.ts');
      const answer = noiseOfFlags(flags);
      process.stdout.write(flags.json ? `${JSON.stringify(noiseJson(answer))}\n` : noiseText(answer));
    });
}

function addTableCommand(privacy: Command): void {
  privacy
    .command('table')
    .requiredOption('--paper', 'the tables of arXiv:2310.00098')
    .option('--json', 'print JSON on stdout')
    .summary('epsilons of the paper, accounted anew')
    .description('Prints each epsilon of the paper beside RDP and PLD, and marks where PLD is tighter.')
    .action(async (flags: { json?: boolean }) => {
      const { paperTable, paperTableText } = await import('../paper-table.ts');
      const rows = paperTable();
      process.stdout.write(flags.json ? `${JSON.stringify(rows)}\n` : paperTableText(rows));
    });
}

function addCurveCommand(privacy: Command): void {
  privacy
    .command('curve')
    .option('--noise-multiplier <Z>', 'standard deviation of the noise on the sum, over the clipping bound')
    .option('--sampling-rate <Q>', 'probability that a user joins a step')
    .option('--expected-cohort <S>', 'expected users per step; with --population it gives q = S / K')
    .option('--population <K>', 'number of users')
    .option('--steps <T>', 'number of central steps')
    .option('--over <what>', 'delta: the whole curve of epsilon and delta; steps: epsilon up to T at --delta', 'delta')
    .option('--delta <D>', 'delta, with --over steps')
    .option('--accountant <name>', 'how to account: pld or rdp', 'pld')
    .option('--svg <file>', 'also draw it')
    .option('--json', 'print JSON on stdout')
    .summary('epsilon over delta or over steps')
    .description('Prints epsilon over delta (read the other way, delta over epsilon), or over the number of steps.')
    .action(async (flags: CurveFlags & { json?: boolean; svg?: string }) => {
      const { curveChart, curveOfFlags, curveText } = await import('../curve.ts');
      const curve = curveOfFlags(flags);
      if (flags.svg !== undefined) {
        const { writeOutput } = await import('../write-output.ts');
        writeOutput(flags.svg, curveChart(curve));
      }
      process.stdout.write(flags.json ? `${JSON.stringify(curve)}\n` : curveText(curve));
    });
}

function addPlanCommand(privacy: Command): void {
  privacy
    .command('plan')
    .argument('<runs...>', 'what was measured: run directories, or .csv or .json files with sigmaDp and wer')
    .option('--epsilon <E>', 'target epsilon')
    .option('--delta <D>', 'target delta')
    .option('--steps <T>', 'number of central steps')
    .option('--sampling-rate <Q>', 'q to keep while cohort and population grow together')
    .option('--expected-cohort <S>', 'cohort to keep while the population grows')
    .option('--accountant <name>', 'how to account: pld or rdp', 'pld')
    .option('--svg <file>', 'also draw error rate over users')
    .option('--json', 'print JSON on stdout')
    .summary('how many users a target epsilon needs')
    .description(
      'Prints the smallest population and cohort with which trainings that were measured would guarantee epsilon: an extrapolation.',
    )
    .addHelpText(
      'after',
      `
Example:
  $ dpfl privacy plan measured.csv --epsilon 8 --delta 1e-9 --steps 2000 --sampling-rate 0.003 --svg plan.svg`,
    )
    .action(async (paths: string[], flags: PlanFlags & { json?: boolean; svg?: string }) => {
      const { measuredRuns, planChart, planOfFlags, planText } = await import('../plan.ts');
      const plan = planOfFlags(flags, await measuredRuns(paths));
      if (flags.svg !== undefined) {
        const { writeOutput } = await import('../write-output.ts');
        writeOutput(flags.svg, planChart(plan));
      }
      process.stdout.write(flags.json ? `${JSON.stringify(plan)}\n` : planText(plan));
    });
}

function addAuditCommand(privacy: Command): void {
  privacy
    .command('audit')
    .argument('<run>', 'run directory of a run with privacy.audit, such as runs/quickstart-001')
    .option('--confidence <C>', 'confidence of the lower bound (default: that of the run)')
    .option('--json', 'print JSON on stdout')
    .summary('empirical lower bound on epsilon beside the claim')
    .description(
      'Computes anew what the canaries of a run (privacy.audit: { canaries: n }) tell of its epsilon: a lower bound that holds at its ' +
        'confidence, and an estimate, beside the epsilon of the ledger.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl run configs/quickstart.yaml --set privacy.audit.canaries=1000
  $ dpfl privacy audit runs/quickstart-001 --confidence 0.95

Exit codes: 0 the claim is not contradicted (which does not prove it), 1 it is, 2 there is no audited run`,
    )
    .action(async (run: string, flags: { confidence?: string; json?: boolean }) => {
      const { auditOfRun, auditText } = await import('../audit.ts');
      const audit = await auditOfRun(run, flags.confidence);
      process.stdout.write(flags.json ? `${JSON.stringify(audit)}\n` : auditText(audit));
      const { contradiction } = await import('../../report/audit.ts');
      const { AuditFailure } = await import('../errors.ts');
      const wrong = contradiction(audit);
      if (wrong !== null) throw new AuditFailure(wrong, run);
    });
}
