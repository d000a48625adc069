import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseLedger } from '../../privacy/ledger.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { loadCheckpoint, newestCheckpoint } from '../../server/checkpoint.ts';
import type { RoundRecord } from '../../server/records.ts';
import { RoundAbandoned, type RoundServer } from '../../server/rounds.ts';
import { type FederatedRun, runFederated } from '../../server/run.ts';
import { RunDirectory, readLines } from '../../server/run-directory.ts';
import { dataset, evaluator, layout, ToyServer, temporaryDirectory, toyConfig } from './toy-run.ts';

const initialParameters = Float32Array.of(1, -1, 1, -1, 0.5);

async function freshDirectory(): Promise<RunDirectory> {
  return RunDirectory.create(await temporaryDirectory(), 'toy');
}

async function start(overrides: Partial<FederatedRun> = {}) {
  const config = overrides.config ?? toyConfig();
  const runDirectory = overrides.runDirectory ?? (await freshDirectory());
  const server = overrides.server ?? new ToyServer(config);
  const options = { initialParameters, layout, evaluator, dataset, ...overrides, config, runDirectory, server };
  const outcome = await runFederated(options);
  return { outcome, runDirectory, records: await recordsOf(runDirectory) };
}

/** The records without their times, which are nobody's promise. */
async function recordsOf(directory: RunDirectory): Promise<Omit<RoundRecord, 'seconds'>[]> {
  const lines = (await readLines(directory.roundsFile)) as RoundRecord[];
  return lines.map(({ seconds: _seconds, ...record }) => record);
}

async function ledgerOf(directory: RunDirectory) {
  return parseLedger(await readFile(directory.ledgerFile, 'utf8'));
}

/** A server that loses its workers in round `fatal`. */
function failingServer(server: RoundServer, fatal: number, error = new Error('all workers died')): RoundServer {
  return {
    workerCount: () => server.workerCount(),
    async runRound(round, ...rest) {
      if (round === fatal) throw error;
      await server.runRound(round, ...rest);
    },
  };
}

describe('runFederated', () => {
  test('writes one record per round with round 0, and one ledger entry per central step', async () => {
    const { outcome, runDirectory, records } = await start();
    expect(records.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect((await ledgerOf(runDirectory)).map(({ round }) => round)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(records.filter(({ evaluation }) => evaluation !== undefined).map(({ round }) => round)).toEqual([0, 4, 6]);
    expect(outcome).toMatchObject({ round: 6, finished: true, epsilon: records[6].epsilon });
    for (const { cohort, contributed, rejectedNonFinite } of records)
      expect(contributed + rejectedNonFinite).toBe(cohort);
  });

  test('records hold numbers only: nothing became null that should not be', async () => {
    const { records } = await start();
    for (const record of records.slice(1)) {
      const numbers = [record.trainLoss, record.learningRate, record.updateNorm, record.epsilon];
      const { deltaNorms, clippedFraction, signalToNoise } = record.layers;
      for (const value of [...numbers, ...deltaNorms, ...clippedFraction, ...signalToNoise]) {
        expect(Number.isFinite(value)).toBe(true);
      }
    }
  });

  test('the model learns', async () => {
    const config = toyConfig({
      federation: { rounds: 30 },
      optimizer: { kind: 'sgd', learningRate: 1 },
      privacy: { clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 0.1 } },
    });
    const { records } = await start({ config });
    expect(records[30].evaluation?.loss).toBeLessThan((records[0].evaluation?.loss ?? 0) / 3);
  });

  test('is bit-identical whatever the order in which shards arrive', async () => {
    const config = toyConfig();
    const inOrder = await start({ config });
    const orders = [
      (left: readonly number[]) => left[left.length - 1],
      (left: readonly number[]) => left[Math.floor(left.length / 2)],
    ];
    for (const arrival of orders) {
      const other = await start({ config, server: new ToyServer(config, arrival) });
      expect(other.outcome.parameters).toEqual(inOrder.outcome.parameters);
      expect(other.records).toEqual(inOrder.records);
    }
  });

  test('another seed gives another model, and seed 0 is a seed', async () => {
    const zero = await start({ config: toyConfig({}, 0) });
    const again = await start({ config: toyConfig({}, 0) });
    const one = await start({ config: toyConfig({}, 1) });
    expect(again.outcome.parameters).toEqual(zero.outcome.parameters);
    expect(one.outcome.parameters).not.toEqual(zero.outcome.parameters);
  });

  test('an empty cohort is still noised, accounted and recorded', async () => {
    const config = toyConfig({ federation: { rounds: 3, expectedCohort: 1e-6 } });
    const { outcome, runDirectory, records } = await start({ config });
    expect(records.map(({ cohort }) => cohort)).toEqual([0, 0, 0, 0]);
    expect(records[3].trainLoss).toBeNull();
    for (const { updateNorm } of records.slice(1)) expect(updateNorm).toBeGreaterThan(0);
    expect(await ledgerOf(runDirectory)).toHaveLength(3);
    expect(outcome.parameters).not.toEqual(initialParameters);
  });

  test('epsilon of every record is that of the ledger up to it', async () => {
    const { runDirectory, records } = await start();
    const ledger = await ledgerOf(runDirectory);
    const accountant = new RdpAccountant();
    for (const { round, epsilon } of records) {
      expect(epsilon).toBe(accountant.epsilon(ledger.slice(0, round), 1e-6).epsilon);
    }
    expect(records[6].epsilon).toBeGreaterThan(records[1].epsilon ?? Number.POSITIVE_INFINITY);
  });

  test('by PLD epsilon is computed in the rounds that are evaluated, and is the certified upper end', async () => {
    const { runDirectory, records, outcome } = await start({
      config: toyConfig({ privacy: { accountant: undefined } }),
    });
    expect(records.map(({ epsilon }) => epsilon !== null)).toEqual([true, false, false, false, true, false, true]);
    const { epsilon, epsilonLower } = new PldAccountant().epsilon(await ledgerOf(runDirectory), 1e-6);
    expect(records[6].epsilon).toBe(epsilon);
    expect(outcome.epsilon).toBe(epsilon);
    expect(epsilonLower).toBeGreaterThan(0.99 * epsilon);
  });

  test('what the accountant asked for cannot account is refused before anything is trained', async () => {
    const privacy = { mechanism: 'discreteGaussian', accountant: 'pld' };
    await expect(start({ config: toyConfig({ privacy }) })).rejects.toThrow(
      "privacy.accountant: pld cannot account this run, event: 'discreteGaussian'",
    );
  });

  test('without noise epsilon and signal-to-noise are null', async () => {
    const privacy = { clipping: { mode: 'none' }, mechanism: 'none', noise: undefined };
    const { outcome, records } = await start({ config: toyConfig({ privacy }) });
    expect(outcome.epsilon).toBeNull();
    expect(records[6].epsilon).toBeNull();
    expect(records[6].layers.signalToNoise).toEqual([null, null]);
  });

  test('diverging parameters end the run with a clear error, after the step was accounted', async () => {
    const config = toyConfig({ optimizer: { kind: 'sgd', learningRate: 1e300 } });
    const runDirectory = await freshDirectory();
    await expect(start({ config, runDirectory })).rejects.toThrow('round 1: the parameters are no longer finite');
    expect(await ledgerOf(runDirectory)).toHaveLength(1);
  });

  test('a signal ends the run after the round under way, with a checkpoint', async () => {
    const controller = new AbortController();
    const onRound = ({ round }: RoundRecord) => {
      if (round === 3) controller.abort();
    };
    const { outcome, runDirectory } = await start({ signal: controller.signal, progress: { onRound } });
    expect(outcome).toMatchObject({ round: 3, finished: false });
    expect((await newestCheckpoint(runDirectory.checkpoints))?.round).toBe(3);
  });
});

describe('the privacy budget', () => {
  test('ends the run before the round that would exceed it; resuming gives nothing back', async () => {
    const { records } = await start();
    const afford = records[3].epsilon ?? 0;
    const config = toyConfig({ privacy: { budget: { epsilon: afford, delta: 1e-6 } } });
    const { outcome, runDirectory } = await start({ config });
    expect(outcome).toMatchObject({ round: 3, finished: false, epsilon: afford });
    const resumeFrom = await newestCheckpoint(runDirectory.checkpoints);
    const resumed = await start({ config, runDirectory, resumeFrom, initialParameters: layout.allocate() });
    expect(resumed.outcome).toMatchObject({ round: 3, finished: false, epsilon: afford });
    expect(await ledgerOf(runDirectory)).toHaveLength(3);
  });

  test('by PLD it pays for more rounds than by RDP, and never for too many', async () => {
    const { records } = await start();
    const budget = { epsilon: records[3].epsilon ?? 0, delta: 1e-6 };
    const config = toyConfig({ federation: { rounds: 12 }, privacy: { accountant: 'pld', budget } });
    const { outcome, runDirectory } = await start({ config });
    expect(outcome.round).toBeGreaterThan(3);
    expect(outcome.finished).toBe(false);
    expect(outcome.epsilon).toBeLessThanOrEqual(budget.epsilon);
    const ledger = await ledgerOf(runDirectory);
    const { epsilon } = new PldAccountant().epsilon([...ledger, ledger[0]], 1e-6);
    expect(epsilon).toBeGreaterThan(budget.epsilon);
  });

  test('one that pays for no round at all trains nothing, one that pays for all changes nothing', async () => {
    const none = await start({ config: toyConfig({ privacy: { budget: { epsilon: 1e-3, delta: 1e-6 } } }) });
    expect(none.outcome).toMatchObject({ round: 0, epsilon: 0 });
    const all = await start({ config: toyConfig({ privacy: { budget: { epsilon: 1e3, delta: 1e-6 } } }) });
    expect(all.outcome).toEqual((await start()).outcome);
  });
});

describe('resuming', () => {
  test.each([1, 2, 4, 5, 6])('a run that died in round %p continues as if it had not', async (fatal) => {
    const config = toyConfig();
    const whole = await start({ config });
    const runDirectory = await freshDirectory();
    const server = failingServer(new ToyServer(config), fatal);
    await expect(start({ config, runDirectory, server })).rejects.toThrow('all workers died');
    const resumeFrom = await newestCheckpoint(runDirectory.checkpoints);
    const resumed = await start({ config, runDirectory, resumeFrom, initialParameters: layout.allocate() });
    expect(resumed.outcome).toEqual(whole.outcome);
    expect(resumed.records).toEqual(whole.records);
    expect(await ledgerOf(runDirectory)).toEqual(await ledgerOf(whole.runDirectory));
  });

  test('a round given up ends the run with the parameters of the one before, and the checkpoint there was', async () => {
    const config = toyConfig();
    const whole = await start({ config });
    const server = failingServer(new ToyServer(config), 4, new RoundAbandoned('nobody is there'));
    const { outcome, runDirectory, records } = await start({ config, server });
    expect(outcome).toMatchObject({ round: 3, finished: false });
    expect(records).toEqual(whole.records.slice(0, 4));
    const resumeFrom = (await newestCheckpoint(runDirectory.checkpoints))!;
    expect(resumeFrom.round).toBe(2);
    const resumed = await start({ config, runDirectory, resumeFrom });
    expect(resumed.outcome).toEqual(whole.outcome);
    expect(resumed.records).toEqual(whole.records);
  });

  test('lines that a crash left after the checkpoint, or tore, are dropped', async () => {
    const config = toyConfig();
    const { runDirectory, records, outcome } = await start({ config });
    const resumeFrom = await loadCheckpoint(join(runDirectory.checkpoints, 'round-000004.ckpt'));
    await appendFile(runDirectory.roundsFile, '{"round":7,"coh');
    await appendFile(runDirectory.ledgerFile, '{"round');
    const resumed = await start({ config, runDirectory, resumeFrom });
    expect(resumed.records).toEqual(records);
    expect(resumed.outcome.parameters).toEqual(outcome.parameters);
  });

  test('a finished run has nothing left to do', async () => {
    const config = toyConfig();
    const { runDirectory, outcome } = await start({ config });
    const resumeFrom = await newestCheckpoint(runDirectory.checkpoints);
    expect((await start({ config, runDirectory, resumeFrom })).outcome).toEqual(outcome);
  });

  test('more rounds may be asked for, other settings not', async () => {
    const { runDirectory } = await start();
    const resumeFrom = await newestCheckpoint(runDirectory.checkpoints);
    const other = toyConfig({ privacy: { noise: { multiplier: 0.8 } } });
    await expect(start({ config: other, runDirectory, resumeFrom })).rejects.toThrow('made with other settings');
    const longer = toyConfig({ federation: { rounds: 8 } });
    const { outcome } = await start({ config: longer, runDirectory, resumeFrom });
    const whole = await start({ config: longer });
    expect(outcome.parameters).toEqual(whole.outcome.parameters);
  });

  test('without its checkpoint a run is never started over the records of another', async () => {
    const { runDirectory } = await start();
    await expect(start({ runDirectory })).rejects.toThrow('there is a run in this directory');
  });

  test('a crash before the first checkpoint leaves a directory that can be started again', async () => {
    const runDirectory = await freshDirectory();
    await runDirectory.appendRound({ round: 0 });
    const { records } = await start({ runDirectory });
    expect(records.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('the checkpoint of a smaller model is refused', async () => {
    const config = toyConfig({ optimizer: { kind: 'sgd' } });
    const { runDirectory } = await start({ config });
    const newest = await newestCheckpoint(runDirectory.checkpoints);
    const resumeFrom = newest && { ...newest, parameters: newest.parameters.subarray(1) };
    await expect(start({ config, runDirectory, resumeFrom })).rejects.toThrow('has 4 parameters, the model has 5');
  });

  test('a ledger with a hole is not continued', async () => {
    const config = toyConfig();
    const { runDirectory } = await start({ config });
    const lines = (await readFile(runDirectory.ledgerFile, 'utf8')).split('\n');
    await runDirectory.write('ledger.jsonl', lines.filter((_, index) => index !== 2).join('\n'));
    const resumeFrom = await newestCheckpoint(runDirectory.checkpoints);
    await expect(start({ config, runDirectory, resumeFrom })).rejects.toThrow('round 3 is missing');
  });

  test('with cryptographic noise every round is saved, and lost rounds stay spent and are sampled anew', async () => {
    const config = toyConfig({ privacy: { noiseSource: 'cryptographic' }, checkpoint: { every: 100, keep: 10 } });
    const { runDirectory, records } = await start({ config });
    const resumeFrom = await loadCheckpoint(join(runDirectory.checkpoints, 'round-000003.ckpt'));
    const server = new ToyServer(config);
    const resumed = await start({ config, runDirectory, resumeFrom, server });
    expect((await ledgerOf(runDirectory)).map(({ round }) => round)).toEqual([1, 2, 3, 4, 5, 6, 4, 5, 6]);
    expect(resumed.records.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const nine = new RdpAccountant().epsilon(await ledgerOf(runDirectory), 1e-6).epsilon;
    expect(resumed.outcome.epsilon).toBe(nine);
    expect(nine).toBeGreaterThan(records[6].epsilon ?? Number.POSITIVE_INFINITY);
    // From the same parameters, other norms are those of other clients.
    expect(resumed.records[4].layers.deltaNorms).not.toEqual(records[4].layers.deltaNorms);
  });
});
