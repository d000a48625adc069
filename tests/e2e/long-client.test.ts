import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeBuilt } from '../support/command-line.ts';
import { listening } from './support/listening.ts';
import { cleanUp, records, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;
/** Far below the run of one client, which takes several seconds: 400 visits of utterances. */
const silenceSeconds = 1;

describeBuilt('a client whose local training takes longer than a worker may be silent', () => {
  let directory: string;

  beforeAll(() => {
    directory = tinyDirectory({
      model: { kind: 'transformer-ctc', blocks: 4, width: 192, heads: 4, mlp: 768, stride: 2 },
      local: { steps: 200, batchSize: 2, learningRate: 0.01 },
      federation: { rounds: 1, expectedCohort: 3, shardSize: 1, silenceSeconds },
      seedModel: undefined,
    });
  });
  afterAll(cleanUp);

  test(
    'is trained once: its worker is heard meanwhile',
    async () => {
      const { server, worker } = await listening(['tiny.yaml', '--output', 'heard'], directory);
      const workers = [worker('A'), worker('B')];
      expect(await server.ended).toMatchObject({ status: 0 });
      for (const { ended } of workers) expect(await ended).toMatchObject({ status: 0 });
      const round = records(join(directory, 'heard', 'tiny-001')).at(-1)!;
      expect(round.seconds.workers!.localTraining / round.cohort).toBeGreaterThan(2 * silenceSeconds);
      expect(round.faults).toBeUndefined();
    },
    PATIENCE,
  );

  test(
    'does not keep its worker from hanging up on Ctrl-C',
    async () => {
      const telemetry = ['--metrics', '127.0.0.1:0'];
      const { server, worker } = await listening(['tiny.yaml', '--output', 'left', ...telemetry], directory);
      const [, figures] = await server.line(/metrics on http:\/\/(127\.0\.0\.1:\d+)\/metrics/);
      const leaver = worker('leaver');
      while (!/^dpfl_shards_leased_total [1-9]/m.test(await (await fetch(`http://${figures}/metrics`)).text())) {
        await sleep(20);
      }
      await sleep(500);
      const asked = performance.now();
      leaver.kill('SIGINT');
      await server.line(/worker 'leaver' left/);
      const left = performance.now();
      const { status, stderr } = await leaver.ended;
      expect({ status, lines: stderr.trim().split('\n').length }).toEqual({ status: 0, lines: 1 });
      expect(left - asked).toBeLessThan((performance.now() - asked) / 2);
    },
    PATIENCE,
  );
});
