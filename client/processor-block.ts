import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../graph/builder.ts';
import { exportGraph } from '../graph/export.ts';
import { ints } from '../graph/ir.ts';
import { optimise } from '../graph/optimise.ts';
import type { ChannelBlock } from '../graph/rewrites/blocked-convolutions.ts';

let found: Promise<ChannelBlock | undefined> | undefined;

/**
 * The block of channels that onnxruntime's convolutions take on this machine's processor, found by trying: only with the right one does a
 * small convolution on blocks give what a plain one gives. undefined where there is none.
 */
export function processorBlock(): Promise<ChannelBlock | undefined> {
  found ??= findBlock();
  return found;
}

async function findBlock(): Promise<ChannelBlock | undefined> {
  const plain = await convolve(undefined);
  for (const block of [16, 8] as const) {
    // Where the runtime has no such operators, or not for this processor, it says so.
    const blocked = await convolve(block).catch(() => undefined);
    if (blocked?.every((value, i) => Math.abs(value - plain[i]!) < 1e-3)) return block;
  }
  return undefined;
}

/** 3×3 on 32 channels, of numbers that are all different, so that no order but the right one gives the same. */
async function convolve(block: ChannelBlock | undefined): Promise<Float32Array> {
  const dims = { image: [1, 32, 6, 6], kernel: [32, 32, 3, 3] };
  const b = new GraphBuilder();
  const names = Object.entries(dims).map(([name, shape]) => b.input(name, 'float32', shape));
  const output = b.op('Conv', names, { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) });
  optimise(b, [output], { block });
  const options = {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  } as const;
  const session = await ort.InferenceSession.create(exportGraph(b.build('block', [output])), options);
  const feeds = Object.entries(dims).map(([name, shape]) => {
    const data = Float32Array.from({ length: shape.reduce((a, c) => a * c, 1) }, (_, i) => Math.sin(i * i));
    return [name, new ort.Tensor('float32', data, shape)] as const;
  });
  try {
    return (await session.run(Object.fromEntries(feeds)))[output]!.data as Float32Array;
  } finally {
    await session.release();
  }
}
