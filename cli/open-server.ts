import { randomUUID } from 'node:crypto';
import { openTask } from '../client/open-task.ts';
import { InProcessServer } from '../server/in-process.ts';
import type { RunConfig } from '../server/run-config.ts';
import { AggregationServer } from '../server/service.ts';
import type { Prepared } from './prepare.ts';
import type { Progress } from './progress.ts';
import type { Security } from './security.ts';

/** Which server a run is to have. */
export interface ServerRequest {
  readonly config: Pick<RunConfig, 'federation'>;
  /** Address for workers of other machines, `host:port`; undefined: loopback only. */
  readonly listen?: string;
  /** With `listen`: an address for probes alone, and whether to offer server reflection. */
  readonly health?: string;
  readonly reflection?: boolean;
  readonly progress: Pick<Progress, 'note'>;
}

/**
 * Where clients train: behind gRPC, or without any worker process right here.
 * @throws ConfigError when the address cannot be had
 */
export async function openServer(
  { config, listen, progress, health, reflection }: ServerRequest,
  security: Security,
  run: Pick<Prepared, 'task' | 'training'>,
): Promise<AggregationServer | InProcessServer> {
  if (listen === undefined && config.federation.workers === 0) {
    return new InProcessServer(await openTask(run.task, run.training));
  }
  return AggregationServer.start({
    listen: listen ?? '127.0.0.1:0',
    tls: security.tls,
    token: security.token,
    healthListen: health,
    reflection,
    runId: randomUUID(),
    task: run.task,
    model: run.training,
    leaseTimeoutSeconds: config.federation.leaseSeconds,
    silenceSeconds: config.federation.silenceSeconds,
    waitForWorkersSeconds: config.federation.waitForWorkersSeconds,
    log: listen === undefined ? undefined : progress.note,
    notice: (line) => progress.note(line, 'warn'),
  });
}
