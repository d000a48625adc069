import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { dataPath } from '../data/shared-data.ts';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, outcomeOf, temporaryDirectory } from './support/tiny-run.ts';

const config = (name: string) => fileURLToPath(new URL(`../../configs/${name}.yaml`, import.meta.url));

/** The shipped configurations on the real data, made small and short. */
const CASES = [
  {
    name: 'fsdd-digits',
    path: dataPath('fsdd'),
    changes: ['model.blocks=1', 'model.width=16', 'model.mlp=16', 'evaluation.batchSize=64'],
    metric: /^WER +[\d.]+ % -> [\d.]+ % on 200 held-out/m,
  },
  {
    name: 'cifar10-cnn',
    path: dataPath('cifar-10-batches-bin'),
    changes: ['model.channels=[4]', 'model.hidden=16'],
    metric: /^accuracy +[\d.]+ % -> [\d.]+ % on 2,000 held-out/m,
  },
];

describeBuilt('real data', () => {
  afterAll(cleanUp);

  for (const { name, path, changes, metric } of CASES) {
    const body = async () => {
      const output = temporaryDirectory();
      const small = ['federation.rounds=2', 'federation.expectedCohort=4', 'federation.workers=1', ...changes];
      const sets = [`data.path=${path}`, ...small].flatMap((change) => ['--set', change]);
      const { status, stdout } = await dpfl(['run', config(name), ...sets, '--output', output]);
      expect(status).toBe(0);
      expect(stdout).toMatch(metric);
      expect(outcomeOf(join(output, `${name}-001`)).rounds).toHaveLength(3);
    };
    if (existsSync(path)) test(`configs/${name}.yaml`, body, 90_000);
    else test.skip(`configs/${name}.yaml (needs ${path}; set DPFL_DATA)`, body);
  }
});
