import { addDims, floorDivideDims, subtractDims } from '../dims.ts';
import { type Dim, intsAttribute, type Node, stringAttribute } from '../ir.ts';
import type { ShapeContext } from './shape-rule.ts';

/** The attributes of a sliding window, with every default filled in; one entry per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Zeros added before and after each spatial axis. */
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

/** @param sizes spatial sizes of the input, needed for SAME padding */
export function windowOf(node: Node, kernel: readonly number[], sizes: readonly Dim[]): Window {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  let begin = kernel.map(() => 0);
  let end = kernel.map(() => 0);
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    for (const [i, k] of kernel.entries()) {
      const size = sizes[i];
      const span = (k - 1) * dilations[i]! + 1;
      if (typeof size !== 'number' && strides[i] !== 1) {
        throw new Error(`auto_pad ${auto} with stride ${strides[i]} needs a known size`);
      }
      const outputs = typeof size === 'number' ? Math.ceil(size / strides[i]!) : 0;
      const total = typeof size === 'number' ? Math.max(0, (outputs - 1) * strides[i]! + span - size) : span - 1;
      begin[i] = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      end[i] = total - begin[i]!;
    }
  } else if (auto !== 'VALID') {
    const pads = intsAttribute(node, 'pads') ?? kernel.flatMap(() => [0, 0]);
    begin = pads.slice(0, kernel.length);
    end = pads.slice(kernel.length);
  }
  return { kernel, strides, dilations, padsBegin: begin, padsEnd: end };
}

/** Sizes of the windowed output. @param ceil whether a window that reaches beyond the end counts as well */
export function windowOutput(window: Window, sizes: readonly Dim[], ceil = false): Dim[] {
  return sizes.map((size, i) => {
    const span = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    const room = subtractDims(addDims(size, window.padsBegin[i]! + window.padsEnd[i]!), span);
    const stride = window.strides[i]!;
    return addDims(floorDivideDims(ceil ? addDims(room, stride - 1) : room, stride), 1);
  });
}

/** `windowOf` the first input, for a shape rule. @throws ModelError that names the node */
export function inferredWindow(context: ShapeContext, kernel: readonly number[]): Window {
  try {
    return windowOf(context.node, kernel, context.input(0).shape.slice(2));
  } catch (error) {
    throw context.fail((error as Error).message);
  }
}
