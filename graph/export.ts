import type { Graph } from './ir.ts';
import { encodeModel } from './onnx/write.ts';

/** The operator set that compiled graphs are written in. */
const compiledOpset = 21;

/** The bytes of an .onnx file that stock onnxruntime runs. Compiled graphs hold no weights: they are inputs. */
export function exportGraph(graph: Graph): Uint8Array {
  return encodeModel({ graph, opset: compiledOpset, weights: [] });
}
