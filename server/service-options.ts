import type { WorkerTask } from '../client/task.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import type { TlsIdentity } from '../proto/tls.ts';
import type { SumStorage } from './sum-receiver.ts';
import type { WorkerConduct } from './worker-conduct.ts';

/** What an `AggregationServer` is started with. */
export interface AggregationOptions {
  /** Address to listen on, `host:port`; port 0 takes any free port. */
  readonly listen: string;
  /** Names the run; results of other runs are rejected. */
  readonly runId: string;
  readonly task: WorkerTask;
  readonly model: TrainingArtifact;
  /** Mutual TLS; without it the wire is plaintext. */
  readonly tls?: TlsIdentity;
  /** What a worker must bear to be told anything; without it every worker is welcome. */
  readonly token?: string;
  /** Workers at a time, and as many connections again that have not said Hello yet. Default 1024. */
  readonly maxWorkers?: number;
  /** Seconds from connecting to Hello, after which a connection is cut. Default 20. */
  readonly helloSeconds?: number;
  /** A second address, `host:port`, with nothing but the health service, in plaintext; by default it is on `listen` alone. */
  readonly healthListen?: string;
  /** Offers server reflection to whoever bears the token. Default false. */
  readonly reflection?: boolean;
  /** Where sums on their way in are kept. */
  readonly sums?: SumStorage;
  /** Seconds after which a shard is given to another worker. Default 600. */
  readonly leaseTimeoutSeconds?: number;
  /**
   * Seconds without a word from a worker after which its shard is given to another as well. Should exceed the training of one
   * client, in which a worker cannot speak. Default 60.
   */
  readonly silenceSeconds?: number;
  /** Seconds that a round waits without any worker before the run ends with an error. Default: for ever. */
  readonly waitForWorkersSeconds?: number;
  /** Decides which workers are set aside. */
  readonly conduct?: WorkerConduct;
  /** How often one shard may be leased in a round before the round is given up. Default 10. */
  readonly maxAttempts?: number;
  /** Seconds to wait for a healthy worker after a worker has failed and none is left. Default 5. */
  readonly failureGraceSeconds?: number;
  /** Seconds that `close` waits for the workers to hang up. Default 5. */
  readonly closeSeconds?: number;
  /** Takes one line when a worker joins, is lost or fails, or a result is rejected. */
  readonly log?: (line: string) => void;
  /** Takes one line on what whoever runs this should know: no worker is left, one is set aside, a result was rejected. Default: `log`. */
  readonly notice?: (line: string) => void;
}
