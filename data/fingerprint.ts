import { createHash } from 'node:crypto';
import type { FederatedDataset } from './dataset.ts';

/** Users whose data is looked at; they are spread over the whole population. */
const PROBES = 16;

/**
 * A SHA-256 (hex) of who the users of a data set are: population, description, and the shapes, labels and lengths of a sample of
 * users spread over all ids. Two copies with the same fingerprint give the same users the same ids; a copy that lacks a speaker or a file,
 * whose ids would mean other users, has another one. Floating-point features are left out, whose last bits may depend on the machine.
 */
export function datasetFingerprint(dataset: FederatedDataset): string {
  const { population, description } = dataset;
  const hash = createHash('sha256').update(JSON.stringify([population, description]));
  const probes = Math.min(PROBES, population);
  for (let i = 0; i < probes; i++) {
    const id = probes === 1 ? 0 : Math.floor((i * (population - 1)) / (probes - 1));
    const { fields } = dataset.client(id);
    for (const name of Object.keys(fields).sort()) {
      const { type, dims, data } = fields[name]!;
      hash.update(JSON.stringify([id, name, type, dims]));
      if (type === 'int32') hash.update(data.join());
    }
  }
  return hash.digest('hex');
}
