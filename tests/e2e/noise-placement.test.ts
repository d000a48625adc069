import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, outcomeOf, records, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;

describeBuilt('clients that add the noise themselves', () => {
  afterAll(cleanUp);

  test.each(['local', 'shares'])(
    'noisePlacement: %s gives the same bits over gRPC and in process',
    async (noisePlacement) => {
      const directory = tinyDirectory({
        model: { kind: 'mlp', hidden: [8] },
        data: {
          kind: 'synthetic-images',
          population: 100,
          samplesPerUser: 6,
          imageShape: [1, 6, 6],
          evaluationSamples: 20,
        },
        seedModel: undefined,
        optimizer: { kind: 'sgd', learningRate: 0.1 },
        privacy: { clipping: { mode: 'global', bound: 0.3 }, noisePlacement, noise: { sigmaClient: 2 }, delta: 1e-4 },
      });
      const run = async (workers: number) => {
        const set = ['--set', `federation.workers=${workers}`, '--output', `with-${workers}`];
        expect(await dpfl(['run', 'tiny.yaml', ...set], { cwd: directory })).toMatchObject({ status: 0 });
        return join(directory, `with-${workers}`, 'tiny-001');
      };
      const [apart, together] = [await run(2), await run(0)];
      expect(outcomeOf(apart)).toEqual(outcomeOf(together));
      expect(records(apart).every(({ faults }) => faults === undefined)).toBe(true);
    },
    PATIENCE,
  );
});
