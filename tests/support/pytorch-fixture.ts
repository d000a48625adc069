import { readFileSync } from 'node:fs';
import type { ExampleBatch, TensorData } from '../../data/dataset.ts';
import type { ParameterLayout } from '../../params/layout.ts';

interface FloatTensor {
  readonly dims: readonly number[];
  /** Base64 of little-endian float32. */
  readonly float32: string;
}

interface IntegerTensor {
  readonly dims: readonly number[];
  readonly int32: readonly number[];
}

export type Layers = Readonly<Record<string, FloatTensor>>;

/** What scripts/fixtures/make_fixtures.py writes. */
export interface PyTorchFixture<Settings> {
  readonly settings: Settings;
  readonly fields: Readonly<Record<string, FloatTensor | IntegerTensor>>;
  readonly weights: Layers;
  readonly loss: number;
  readonly gradients: Layers;
  readonly local: {
    readonly steps: number;
    readonly learningRate: number;
    readonly maxGradientNorm: number;
    readonly losses: readonly number[];
    readonly deltas: Layers;
  };
}

export function readPyTorchFixture<Settings>(model: string): PyTorchFixture<Settings> {
  const path = new URL(`../fixtures/pytorch-${model}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as PyTorchFixture<Settings>;
}

function decode({ float32 }: FloatTensor): Float32Array {
  const bytes = Buffer.from(float32, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

export function examplesOf({ fields }: PyTorchFixture<unknown>): ExampleBatch {
  const packed = Object.entries(fields).map(([name, field]): [string, TensorData] => [
    name,
    'float32' in field
      ? { type: 'float32', dims: field.dims, data: decode(field) }
      : { type: 'int32', dims: field.dims, data: Int32Array.from(field.int32) },
  ]);
  return { count: packed[0]![1].dims[0]!, fields: Object.fromEntries(packed) };
}

/** The layers as one flat vector. @throws when names or shapes are not those of the layout */
export function flatten(layers: Layers, layout: ParameterLayout): Float32Array {
  const flat = layout.allocate();
  const missing = Object.keys(layers).filter((name) => !layout.layers.some((layer) => layer.name === name));
  if (missing.length > 0) throw new Error(`the layout has no layer ${missing.join(', ')}`);
  for (const layer of layout.layers) {
    const tensor = layers[layer.name];
    if (tensor?.dims.join() !== layer.shape.join())
      throw new Error(`${layer.name}: [${tensor?.dims}], [${layer.shape}]`);
    flat.set(decode(tensor), layer.offset);
  }
  return flat;
}

/** For each layer, the largest difference relative to the largest expected entry. */
export function layerErrors(found: Float32Array, expected: Float32Array, layout: ParameterLayout): [string, number][] {
  return layout.layers.map((layer) => {
    const [ours, theirs] = [layout.view(found, layer), layout.view(expected, layer)];
    let difference = 0;
    let largest = 0;
    for (let i = 0; i < layer.size; i++) {
      difference = Math.max(difference, Math.abs(ours[i]! - theirs[i]!));
      largest = Math.max(largest, Math.abs(theirs[i]!));
    }
    return [layer.name, difference / largest];
  });
}
