import { EventEmitter } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseTask } from '../../client/task.ts';
import { DpflError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { splitPayload } from '../../proto/chunks.ts';
import { decodeClientIds } from '../../proto/client-ids.ts';
import { bytesOfFloats } from '../../proto/floats.ts';
import type { ServerMessage } from '../../proto/generated/dpfl/v1/ServerMessage.ts';
import type { WorkerMessage, WorkerMessage__Output } from '../../proto/generated/dpfl/v1/WorkerMessage.ts';
import { Aggregation, PROTOCOL_VERSION } from '../../proto/load.ts';
import { RoundAggregator } from '../../server/aggregation.ts';
import type { AggregationServer } from '../../server/service.ts';
import { WorkerConduct } from '../../server/worker-conduct.ts';
import type { WorkerStream } from '../../server/worker-session.ts';
import { fuzzCases, fuzzSeed, mutator } from '../support/fuzz.ts';
import { headerOf, layers, parameters, startServer, task } from '../support/wire.ts';

const { requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } = Aggregation.service.Work;
const layout = new ParameterLayout(layers);
const NORM = 1000;

/** The server's end of a stream without a network: what is emitted on it has come from a worker. */
class Stream extends EventEmitter {
  readonly metadata = new Metadata();
  alive = true;
  lease: { runId: string; round: number; attempt: number; shard: number; clientIdDeltas: number[] } | undefined;

  constructor() {
    super();
    this.on('error', () => this.end());
  }

  getPeer(): string {
    return 'fuzz:1';
  }

  write(message: ServerMessage, sent: () => void): boolean {
    if (message.lease) this.lease = message.lease as Stream['lease'];
    sent();
    return true;
  }

  end(): void {
    if (!this.alive) return;
    this.alive = false;
    this.emit('close');
  }

  say(message: WorkerMessage): void {
    this.receive(requestSerialize(message));
  }

  /** What grpc-js does with the bytes of a message. */
  receive(bytes: Uint8Array): void {
    let message: WorkerMessage__Output;
    try {
      message = requestDeserialize(Buffer.from(bytes)) as WorkerMessage__Output;
    } catch {
      this.emit('error', new Error('not a message'));
      return;
    }
    this.emit('data', message);
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('malformed messages', () => {
  let server: AggregationServer;
  beforeAll(async () => {
    server = await startServer({
      conduct: new WorkerConduct(Number.POSITIVE_INFINITY),
      maxAttempts: Number.POSITIVE_INFINITY,
      failureGraceSeconds: 600,
    });
  });
  afterAll(() => server.close());

  /** A worker's stream that has joined and asked for a lease. */
  async function join(name: string): Promise<Stream> {
    const stream = new Stream();
    server.serveStream(stream as unknown as WorkerStream);
    stream.say({ hello: { protocolVersion: PROTOCOL_VERSION, name } });
    stream.say({ leaseRequest: {} });
    for (let turn = 0; turn < 10 && stream.lease === undefined; turn++) await settled();
    return stream;
  }

  const cases = fuzzCases(100_000);
  test(`${cases} of them (DPFL_FUZZ_SEED=${fuzzSeed}) crash nothing, and nothing wrong is summed`, async () => {
    const mutate = mutator('messages');
    const aggregator = new RoundAggregator(layout);
    const shards = Array.from({ length: 64 }, (_, shard) => [shard]);
    let round = 0;
    let summed = 0;
    let over = true;
    const begin = () => {
      round += 1;
      over = false;
      aggregator.begin(shards, { clientNorm: NORM });
      void server
        .runRound(round, parameters(), shards, (shard, result) => {
          aggregator.add(shard, result);
          expect([...result.sum].every(Number.isSafeInteger)).toBe(true);
          expect(Math.hypot(...result.sum)).toBeLessThanOrEqual(NORM);
          summed += 1;
        })
        .finally(() => {
          over = true;
        });
    };
    let stream: Stream | undefined;
    let corpus: Uint8Array[] = [];
    for (let done = 0; done < cases; done++) {
      if (over) begin();
      if (!stream?.alive || done % 50 === 0) {
        stream?.end();
        stream = await join(`fuzz ${done}`);
        if (!stream.lease) throw new Error('the server leases no more');
        const valid: WorkerMessage[] = [
          { shardHeader: { ...headerOf(stream.lease, 1), lossSum: 0.5 } },
          { shardChunk: splitPayload(bytesOfFloats(new Float64Array(layout.size).fill(done % 300)))[0] },
          { hello: { protocolVersion: PROTOCOL_VERSION, name: 'again' } },
          { leaseRequest: {} },
          { heartbeat: {} },
          { failure: { message: 'broken\u001b[2J' } },
        ];
        corpus = valid.map((message) => requestSerialize(message));
        // Some go on from within an upload.
        if (done % 3 === 0) stream.receive(corpus[0]!);
      }
      stream.receive(mutate(corpus));
    }
    stream?.end();
    // Mutations that leave a message right are summed; most do not.
    expect(summed).toBeGreaterThan(10);
    expect(server.faults.of('malformed')).toBeGreaterThan(1000);

    // The server works on as if nothing had happened.
    while (!over) {
      const worker = await join('good');
      if (worker.lease === undefined) break;
      worker.say({ shardHeader: headerOf(worker.lease, 1) });
      worker.say({ shardChunk: splitPayload(bytesOfFloats(new Float64Array(layout.size).fill(1)))[0] });
      worker.end();
      await settled();
    }
    await settled();
    expect(over).toBe(true);
    expect(aggregator.finish().sum.every(Number.isSafeInteger)).toBe(true);
  }, 120_000);

  test('those of a server give a worker nothing but typed errors', () => {
    const mutate = mutator('server messages');
    const corpus = (
      [
        { welcome: { runId: 'r', taskJson: JSON.stringify(task), layoutFingerprint: 'f' } },
        { lease: { runId: 'r', round: 1, attempt: 1, shard: 0, clientIdDeltas: [5, 1, -3, 2 ** 52] } },
      ] as ServerMessage[]
    ).map((message) => responseSerialize(message));
    for (let done = fuzzCases(5000); done > 0; done--) {
      let message: ReturnType<typeof responseDeserialize>;
      try {
        message = responseDeserialize(Buffer.from(mutate(corpus)));
      } catch {
        continue;
      }
      try {
        if (message.welcome) parseTask(message.welcome.taskJson);
        if (message.lease) decodeClientIds(message.lease.clientIdDeltas);
      } catch (error) {
        expect(error).toBeInstanceOf(DpflError);
      }
    }
  });
});
