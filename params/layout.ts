import { createHash } from 'node:crypto';
import { ModelError } from '../errors.ts';

/** Name and shape of one trainable tensor. */
export interface LayerSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One layer's place in the flat parameter vector; `offset` and `size` count float32 elements. */
export interface Layer extends LayerSpec {
  readonly offset: number;
  readonly size: number;
}

/** A vector of a layout whose layers need not stand behind each other: layer h begins at element `starts[h]` of `values`. */
export interface ScatteredLayers {
  readonly values: Float32Array;
  readonly starts: readonly number[];
}

/**
 * Where each layer (one trainable tensor) stands in the model's single flat Float32Array.
 * ONNX tensors, clipping, noise, optimizers, checkpoints and the wire all take views of that one buffer.
 */
export class ParameterLayout {
  readonly layers: readonly Layer[];
  /** Number of parameters, the length of the flat vector. */
  readonly size: number;

  /**
   * @param specs layers in the order in which they stand in the flat vector
   * @throws ModelError when two layers share a name, or a dimension is not a positive integer
   */
  constructor(specs: readonly LayerSpec[]) {
    const names = new Set<string>();
    const layers: Layer[] = [];
    let offset = 0;
    for (const { name, shape } of specs) {
      if (names.has(name))
        throw new ModelError(`parameter layout: two layers are named '${name}'; give each its own name`);
      names.add(name);
      let size = 1;
      for (const dimension of shape) {
        if (!Number.isSafeInteger(dimension) || dimension < 1) {
          throw new ModelError(
            `parameter layout: layer '${name}' has dimension ${dimension}; trainable tensors need positive sizes`,
          );
        }
        size *= dimension;
      }
      layers.push({ name, shape: [...shape], offset, size });
      offset += size;
    }
    this.layers = layers;
    this.size = offset;
  }

  /** A zero vector of this layout. */
  allocate(): Float32Array {
    return new Float32Array(this.size);
  }

  /** The part of `flat` that holds `layer`: a view, never a copy. */
  view(flat: Float32Array, layer: Layer): Float32Array {
    return flat.subarray(layer.offset, layer.offset + layer.size);
  }

  /** SHA-256 (hex) of names and shapes: two peers with the same fingerprint mean the same vector. */
  fingerprint(): string {
    const description = JSON.stringify(this.layers.map(({ name, shape }) => [name, shape]));
    return createHash('sha256').update(description).digest('hex');
  }
}
