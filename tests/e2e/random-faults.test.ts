import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { verifyRun } from '../../cli/verify.ts';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { faultSeed, planFaults } from './support/fault-plan.ts';
import { listening } from './support/listening.ts';
import { cleanUp, outcomeOf, tinyDirectory } from './support/tiny-run.ts';

const seed = faultSeed();

/** A frozen worker wakes up after this, and delivers what nobody waits for any more. */
const FREEZE_MS = 1500;

describeBuilt('a run beset by faults', () => {
  afterAll(cleanUp);

  test(`ends with the model, ledger and records of an undisturbed one (DPFL_FAULT_SEED=${seed})`, async () => {
    const directory = tinyDirectory({
      // Soon at the first round, where most faults should strike.
      seedModel: undefined,
      federation: { rounds: 20, expectedCohort: 8, shardSize: 2, workers: 0, silenceSeconds: 0.5 },
      checkpoint: { every: 4 },
    });
    await dpfl(['run', 'tiny.yaml', '--output', 'quiet'], { cwd: directory });
    const expected = outcomeOf(join(directory, 'quiet', 'tiny-001'));

    const first = await listening(['tiny.yaml', '--output', 'beset'], directory);
    const run = join(directory, 'beset', 'tiny-001');
    let { server } = first;
    let workers: Command[] = [];
    let started = 0;
    const addWorker = () => {
      started += 1;
      workers.push(first.worker(`worker-${started}`));
    };
    const resume = () => new Command(['server', '--resume', run, '--listen', first.address], { cwd: directory });
    addWorker();
    addWorker();
    const suffered: string[] = [];
    for (const { after, fault, victim } of planFaults(seed, 3)) {
      await sleep(after);
      if (server.gone) break;
      suffered.push(`${fault} after ${after.toFixed(0)} ms`);
      if (fault === 'kill server') {
        server.kill('SIGKILL');
        await server.ended;
        server = resume();
        continue;
      }
      workers = workers.filter(({ gone }) => !gone);
      const worker = workers[Math.floor(victim * workers.length)];
      if (fault === 'add worker' || worker === undefined) {
        addWorker();
      } else if (fault === 'kill worker') {
        worker.kill('SIGKILL');
        if (workers.length < 2) addWorker();
      } else {
        worker.kill('SIGSTOP');
        setTimeout(() => worker.kill('SIGCONT'), FREEZE_MS);
      }
    }
    if (workers.every(({ gone }) => gone)) addWorker();
    const { status, stderr } = await server.ended;
    if (status !== 0) throw new Error(`exit code ${status} after ${suffered.join(', ')}; stderr:\n${stderr}`);
    expect({ suffered, ...outcomeOf(run) }).toEqual({ suffered, ...expected });
    expect((await verifyRun(run)).filter((finding) => finding.status !== 'ok')).toEqual([]);
  }, 150_000);
});
