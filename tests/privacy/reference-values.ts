import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One value of another accountant. */
export interface ReferenceRecord {
  readonly mechanism: string;
  readonly method: string;
  readonly neighbouring: string;
  readonly value: number;
  readonly params: {
    readonly noise_multiplier: number;
    readonly sampling_probability: number;
    readonly steps: number;
    readonly delta: number;
    readonly target_epsilon: number;
    readonly scale_over_sensitivity: number;
    readonly n: number;
    readonly participations: number;
    readonly max_participations: number;
    readonly min_separation: number;
    readonly noise_std_over_clip: number;
    readonly step_counts: number | readonly number[];
    readonly epochs: number;
  };
}

const path = join(process.env.DPFL_DATA ?? '../shared/data', 'accounting', 'reference.json');
/** Whether the reference values are on this machine. */
export const present = existsSync(path);
export const records: ReferenceRecord[] = present ? JSON.parse(readFileSync(path, 'utf8')).records : [];
if (!present) console.warn(`${path} is absent; set DPFL_DATA to check the accountant against reference values`);
