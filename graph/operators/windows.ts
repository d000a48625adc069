import { addDims, floorDivideDims, multiplyDims, subtractDims } from '../dims.ts';
import { type Dim, intAttribute, intsAttribute, type Node, stringAttribute } from '../ir.ts';
import { normaliseAxis, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

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

function convolutionWindow(context: ShapeContext): Window {
  const weight = context.input(1).shape.slice(2);
  if (!weight.every((size) => typeof size === 'number')) throw context.fail('the kernel size must be known');
  return safeWindow(context, weight as number[]);
}

function safeWindow(context: ShapeContext, kernel: readonly number[]): Window {
  try {
    return windowOf(context.node, kernel, context.input(0).shape.slice(2));
  } catch (error) {
    throw context.fail((error as Error).message);
  }
}

const pool: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const kernel = intsAttribute(context.node, 'kernel_shape');
  if (!kernel) throw context.fail('kernel_shape is missing');
  const window = safeWindow(context, kernel);
  const ceil = intAttribute(context.node, 'ceil_mode', 0) === 1;
  const output = windowOutput(window, shape.slice(2), ceil);
  for (const [i, size] of shape.slice(2).entries()) {
    const last = (Number(output[i]) - 1) * window.strides[i]!;
    if (ceil && typeof size === 'number' && last >= size + window.padsBegin[i]!) {
      throw context.fail('its last window starts in the padding, which runtimes count differently; set ceil_mode to 0');
    }
  }
  const type = [...shape.slice(0, 2), ...output];
  return {
    types: [
      { dtype, shape: type },
      { dtype: 'int64', shape: type },
    ],
  };
};

const globalPool: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  return same({ dtype, shape: shape.map((dim, axis) => (axis < 2 ? dim : 1)) });
};

function scaledDim(context: ShapeContext, dim: Dim, scale: number): Dim {
  if (typeof dim === 'number') return Math.floor(dim * scale);
  if (!Number.isInteger(scale))
    throw context.fail(`an unknown size cannot be scaled by ${scale}; fix it when exporting`);
  return multiplyDims(dim, scale);
}

export const windowShapes: Record<string, ShapeRule> = {
  Conv: (context) => {
    const { dtype, shape } = context.input(0);
    const weight = context.input(1).shape;
    const groups = intAttribute(context.node, 'group', 1);
    const [channels, expected] = [shape[1], weight[1]];
    if (typeof channels === 'number' && typeof expected === 'number' && channels !== expected * groups) {
      throw context.fail(`the input has ${channels} channels where the weight needs ${expected * groups}`);
    }
    return same({ dtype, shape: [shape[0]!, weight[0]!, ...windowOutput(convolutionWindow(context), shape.slice(2))] });
  },
  ConvTranspose: (context) => {
    const auto = stringAttribute(context.node, 'auto_pad', 'NOTSET');
    if (intsAttribute(context.node, 'output_shape') || !['NOTSET', 'VALID'].includes(auto)) {
      throw context.fail('output_shape and auto_pad SAME are not supported; export it with pads and output_padding');
    }
    const { dtype, shape } = context.input(0);
    const weight = context.input(1).shape;
    const window = convolutionWindow(context);
    const extra = intsAttribute(context.node, 'output_padding') ?? window.kernel.map(() => 0);
    const spatial = shape.slice(2).map((size, i): Dim => {
      const span =
        (window.kernel[i]! - 1) * window.dilations[i]! + 1 + extra[i]! - window.padsBegin[i]! - window.padsEnd[i]!;
      const stride = window.strides[i]!;
      return typeof size === 'number' ? (size - 1) * stride + span : `((${size}-1)*${stride}+${span})`;
    });
    const groups = intAttribute(context.node, 'group', 1);
    return same({ dtype, shape: [shape[0]!, (weight[1] as number) * groups, ...spatial] });
  },
  MaxPool: pool,
  AveragePool: pool,
  Resize: (context) => {
    const { dtype, shape } = context.input(0);
    const axes = intsAttribute(context.node, 'axes') ?? shape.map((_, axis) => axis);
    const result = [...shape];
    const sizes = context.integers(3);
    const scales = context.hasInput(2) ? context.constant(2) : undefined;
    for (const [i, axis] of axes.entries()) {
      const at = normaliseAxis(axis, shape.length);
      if (sizes) result[at] = sizes[i]!;
      else if (scales && scales.data.length > 0) result[at] = scaledDim(context, shape[at]!, Number(scales.data[i]));
      else throw context.fail('constant scales or sizes are needed');
    }
    return same({ dtype, shape: result });
  },
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  LayerNormalization: (context) => {
    const type = context.input(0);
    const rank = type.shape.length;
    const axis = intAttribute(context.node, 'axis', -1);
    const from = axis < 0 ? axis + rank : axis;
    const statistics = { dtype: type.dtype, shape: type.shape.map((dim, i): Dim => (i >= from ? 1 : dim)) };
    return { types: [type, statistics, statistics] };
  },
};
