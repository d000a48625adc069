import { elementCount, float32Tensor, type Tensor } from '../graph/ir.ts';
import { namedStream } from '../random/stream.ts';

/** Initial weights, drawn from one named stream per layer so that they depend on the seed and the layer's name alone. */
export class Initialiser {
  private readonly seed: number | string;

  constructor(seed: number | string) {
    this.seed = seed;
  }

  /** Uniform in ±sqrt(6 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
  glorot(name: string, dims: readonly number[], fanIn: number, fanOut: number): Tensor {
    return this.uniform(name, dims, Math.sqrt(6 / (fanIn + fanOut)));
  }

  /** Uniform in ±1 / sqrt(fanIn), PyTorch's default for convolutions and dense layers, which the benchmark protocols assume. */
  fanIn(name: string, dims: readonly number[], fanIn: number): Tensor {
    return this.uniform(name, dims, Math.sqrt(1 / fanIn));
  }

  constant(dims: readonly number[], value: number): Tensor {
    return float32Tensor(dims, new Float32Array(elementCount(dims)).fill(value));
  }

  private uniform(name: string, dims: readonly number[], bound: number): Tensor {
    const stream = namedStream(this.seed, `initial-weights/${name}`);
    const values = new Float32Array(elementCount(dims));
    for (let i = 0; i < values.length; i++) values[i] = (2 * stream.uniform() - 1) * bound;
    return float32Tensor(dims, values);
  }
}
