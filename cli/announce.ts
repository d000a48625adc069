import { bufferHint } from '../models/adapt/likely-buffers.ts';
import { isLoopback } from '../proto/address.ts';
import { InProcessServer } from '../server/in-process.ts';
import type { RunConfig } from '../server/run-config.ts';
import type { AggregationServer } from '../server/service.ts';
import { memoryNote } from './memory-note.ts';
import type { Prepared } from './prepare.ts';
import type { Progress } from './progress.ts';
import type { Security } from './security.ts';

/** How the run was asked for. */
export interface AnnouncedOptions {
  /** With calibrated noise. */
  readonly config: RunConfig;
  /** Address for workers of other machines; undefined: local workers alone. */
  readonly listen?: string;
  /** How the wire to them is protected. */
  readonly security?: Security;
  readonly progress: Pick<Progress, 'note'>;
}

/** What is said of model and data. */
export type AnnouncedRun = Pick<Prepared, 'warnings' | 'dataset' | 'adapted' | 'layout'>;

/** Says what the run is, what its settings allow but nobody should want, and how workers join it. */
export function announce(
  asked: RunConfig,
  { config, listen, progress, security }: AnnouncedOptions,
  run: AnnouncedRun,
  server: AggregationServer | InProcessServer,
  directory: string,
  tokenFile: string | undefined,
): void {
  const { expectedCohort, rounds } = config.federation;
  const count = (value: number) => value.toLocaleString('en-US');
  const frozen = run.adapted.frozen > 0 ? ` trained, ${count(run.adapted.frozen)} frozen` : '';
  progress.note(
    `${directory}: ${config.model.kind}, ${count(run.layout.size)} parameters in ${run.layout.layers.length} layers${frozen}`,
  );
  progress.note(
    `population ${count(run.dataset.population)}, expected cohort ${count(expectedCohort)}, ${count(rounds)} rounds`,
  );
  const memory = memoryNote(run.adapted.model, run.dataset, config.local.batchSize);
  if (memory) progress.note(memory);
  const { noise } = config.privacy;
  if (asked.privacy.noise?.calibrate && noise?.multiplier !== undefined) {
    progress.note(`noise multiplier ${noise.multiplier}: the least that keeps all rounds within privacy.budget`);
  }
  for (const warning of run.warnings) progress.note(`warning: ${warning}`);
  if (run.adapted.batchNorm) progress.note(run.adapted.batchNorm.words);
  if (run.adapted.lora) progress.note(run.adapted.lora);
  for (const note of run.adapted.notes) progress.note(`note: ${note}`);
  for (const buffer of run.adapted.likelyBuffers) progress.note(`hint: ${bufferHint(buffer)}`);
  if (server instanceof InProcessServer) progress.note('no workers: clients train in this process, one after another');
  if (listen === undefined || server instanceof InProcessServer) return;
  const { address, healthAddress } = server;
  if (healthAddress !== undefined) progress.note(`health service for probes on ${healthAddress}`);
  const protection = security?.tls ? ' --tls <worker certificates>' : isLoopback(address) ? '' : ' --insecure';
  const token = tokenFile ?? (security?.token === undefined ? undefined : '<file>');
  const ticket = token === undefined ? '' : ` --token-file ${token}`;
  progress.note(`listening on ${address}; start workers with: dpfl worker --server ${address}${protection}${ticket}`);
}
