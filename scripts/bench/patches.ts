import * as ort from 'onnxruntime-node';
import { processorBlock } from '../../client/processor-block.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { differentiate } from '../../graph/differentiate.ts';
import { exportGraph } from '../../graph/export.ts';
import { elementCount, int, ints } from '../../graph/ir.ts';
import { optimise } from '../../graph/optimise.ts';
import { multiplyPatches } from '../../graph/rewrites/patch-products.ts';

const image = [10, 512, 4, 4];
const kernel = [512, 512, 3, 3];
const [warmUps, runs] = [5, 60];

/** Processor milliseconds of a convolution of small images with both gradients, as it is and as products of patches, in turn. */
export async function benchPatches(): Promise<void> {
  const [plain, products] = [await convolution(false), await convolution(true)];
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < warmUps + runs; i++) {
    const pair = [await plain(), await products()] as const;
    if (i < warmUps) continue;
    for (const [side, list] of times.entries()) list.push(pair[side]!);
  }
  const ratios = times[1].map((time, i) => time / times[0][i]!);
  const told = (list: number[]) => `${median(list).toFixed(1)} (${Math.min(...list).toFixed(1)})`;
  console.log(`kernel ${kernel.join('×')} on images ${image.join('×')}, forward and both gradients, ms (fastest):`);
  console.log(
    `convolutions ${told(times[0])}, products of patches ${told(times[1])}, ratio ${median(ratios).toFixed(2)}`,
  );
}

async function convolution(asProducts: boolean): Promise<() => Promise<number>> {
  const b = new GraphBuilder();
  const [x, w] = [b.input('x', 'float32', ['batch', ...image.slice(1)]), b.input('w', 'float32', kernel)];
  const y = b.op('Conv', [x, w], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) });
  if (asProducts) multiplyPatches(b, [y]);
  const gradients = differentiate(b, [...b.nodes], new Map([[y, y]]), new Set([x, w]));
  const totals = [x, w].map((name) => b.op('ReduceSumSquare', [gradients.get(name)!], { keepdims: int(0) }));
  optimise(b, totals, { block: await processorBlock() });
  const session = await ort.InferenceSession.create(exportGraph(b.build('patches', totals)), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
  });
  const feeds = { x: random(image), w: random(kernel) };
  return async () => {
    const start = process.cpuUsage();
    await session.run(feeds);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}

function random(dims: readonly number[]): ort.Tensor {
  return new ort.Tensor(
    'float32',
    Float32Array.from({ length: elementCount(dims) }, () => Math.random() - 0.5),
    dims,
  );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
