import { createHash } from 'node:crypto';
import type { Model } from './ir.ts';
import { tensorBytes } from './onnx/tensor.ts';

/** SHA-256 (hex) of everything in a model that training does not change: its nodes and all constants but the weights. */
export function fixedPartFingerprint({ graph, opset, weights }: Model): string {
  const trained = new Set(weights);
  const hash = createHash('sha256');
  const { inputs, outputs, nodes } = graph;
  hash.update(JSON.stringify([opset, inputs, outputs, nodes], plainly));
  for (const [name, tensor] of graph.constants) {
    if (trained.has(name)) continue;
    hash.update(JSON.stringify([name, tensor.dtype, tensor.dims]));
    hash.update(tensorBytes(tensor));
  }
  return hash.digest('hex');
}

/** JSON knows neither int64 elements nor typed arrays. */
function plainly(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>) : value;
}
