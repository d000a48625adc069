import { expect, test } from '@jest/globals';
import { openServer } from '../../cli/open-server.ts';
import { InProcessServer } from '../../server/in-process.ts';
import { AggregationServer } from '../../server/service.ts';
import { smallRun } from './small-run.ts';

const run = await smallRun();
const progress = { note: () => undefined };
const withWorkers = (workers: number) => ({ federation: { ...run.config.federation, workers } });

test('without workers clients train in this process', async () => {
  const server = await openServer({ config: withWorkers(0), progress }, {}, run);
  expect(server).toBeInstanceOf(InProcessServer);
  await server.close();
});

test.each<[string, number, string | undefined]>([
  ['workers of its own', 1, undefined],
  ['workers of other machines, and none of its own', 0, '127.0.0.1:0'],
])('for %s a server listens on loopback', async (_, workers, listen) => {
  const server = await openServer({ config: withWorkers(workers), listen, progress }, { token: 't' }, run);
  if (!(server instanceof AggregationServer)) throw new Error('no server');
  expect(server.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  expect(server.healthAddress).toBeUndefined();
  await server.close();
});
