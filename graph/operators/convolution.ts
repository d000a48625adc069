import { knownCount } from '../dims.ts';
import { reduceSum } from '../expressions.ts';
import { type Dim, elementCount, intAttribute, ints, intsAttribute, stringAttribute } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { kernelGradient } from './kernel-gradient.ts';
import { positionsBackwards, positionsLast } from './kernel-order.ts';
import type { GradientContext, Gradients, Operator } from './operator.ts';
import { transposedToSize } from './patches.ts';
import { like, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';
import { withExplicitPads } from './transposed-padding.ts';
import { inferredWindow, type Window, windowOf, windowOutput } from './windows.ts';

function convolutionWindow(context: ShapeContext): Window {
  const weight = context.input(1).shape.slice(2);
  if (!weight.every((size) => typeof size === 'number')) throw context.fail('the kernel size must be known');
  return inferredWindow(context, weight as number[]);
}

const convType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const weight = context.input(1).shape;
  const groups = intAttribute(context.node, 'group', 1);
  const [channels, expected] = [shape[1], weight[1]];
  if (typeof channels === 'number' && typeof expected === 'number' && channels !== expected * groups) {
    throw context.fail(`the input has ${channels} channels where the weight needs ${expected * groups}`);
  }
  return same({ dtype, shape: [shape[0]!, weight[0]!, ...windowOutput(convolutionWindow(context), shape.slice(2))] });
};

const convTransposeType: ShapeRule = (context) => {
  const auto = stringAttribute(context.node, 'auto_pad', 'NOTSET');
  if (intsAttribute(context.node, 'output_shape') || !['NOTSET', 'VALID'].includes(auto)) {
    throw context.fail('output_shape and auto_pad SAME are written as pads on import');
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
};

/** Conv over any number of spatial axes, with groups. The input gradient is a transposed convolution. */
function convGradients(context: GradientContext): Gradients {
  const { b, x, dy, needs, node } = context;
  const kernel = b.shape(x(1)).slice(2) as number[];
  const window = windowOf(node, kernel, b.shape(x(0)).slice(2));
  const groups = intAttribute(node, 'group', 1);
  const spatialAxes = [0, ...kernel.map((_, i) => i + 2)];
  return [
    needs(0) ? inputGradient(b, dy, x(1), x(0), window, groups) : undefined,
    needs(1) ? kernelGradient(context, x(0), dy, b.shape(x(1)) as number[], window, groups) : undefined,
    needs(2) ? reduceSum(b, dy, spatialAxes, false) : undefined,
  ];
}

/** From this many channels on, a convolution with the kernel turned around beats a transposed convolution. */
const flippedChannels = 64;

/** A transposed convolution; at stride 1, that is a convolution with the kernel turned around and its channels exchanged. */
function inputGradient(b: GraphWriter, dy: string, weight: string, x: string, window: Window, groups: number): string {
  const [outputs, channels] = b.shape(weight) as readonly number[];
  const reach = window.kernel.map((size, i) => (size - 1) * window.dilations[i]!);
  const pads = [window.padsBegin, window.padsEnd].flatMap((side) => side.map((pad, i) => reach[i]! - pad));
  const wide = Math.min(outputs!, channels!) >= flippedChannels;
  const turns = wide && groups === 1 && window.strides.every((stride) => stride === 1) && pads.every((pad) => pad >= 0);
  if (!turns) return transposedToSize(b, dy, weight, x, window, groups);
  const { kernel, dilations } = window;
  return b.op('Conv', [dy, turnedAround(b, weight, kernel)], {
    kernel_shape: ints(kernel),
    dilations: ints(dilations),
    pads: ints(pads),
  });
}

/** [outputs, channels, ...kernel] → [channels, outputs, ...kernel], each kernel read backwards. */
function turnedAround(b: GraphWriter, weight: string, kernel: readonly number[]): string {
  const [outputs, channels] = b.shape(weight) as readonly [number, number];
  const positions = elementCount(kernel);
  const exchanged = b.op('Transpose', [b.reshape(positionsBackwards(b, weight), [positions, outputs, channels])], {
    perm: ints([0, 2, 1]),
  });
  return positionsLast(b, b.reshape(exchanged, [positions, channels * outputs]), [channels, outputs, ...kernel]);
}

/** The transpose of Conv: input gradient and forward pass change places, and the weight belongs to the convolution that runs backward. */
function convTransposeGradients(context: GradientContext): Gradients {
  const { b, x, dy, needs, node } = context;
  const shape = b.shape(x(1)) as number[];
  const kernel = shape.slice(2);
  const window = windowOf(node, kernel, b.shape(dy).slice(2));
  const groups = intAttribute(node, 'group', 1);
  const { output_padding: _, ...attributes } = node.attributes;
  return [
    needs(0) ? b.op('Conv', [dy, x(1)], attributes) : undefined,
    needs(1) ? kernelGradient(context, dy, x(0), shape, window, groups) : undefined,
    needs(2) ? reduceSum(b, dy, [0, ...kernel.map((_, i) => i + 2)], false) : undefined,
  ];
}

export const convolutionOperators: readonly Operator[] = [
  {
    op: 'Conv',
    infer: convType,
    gradient: { reads: ['x0', 'x1'], write: convGradients },
    multiplications: ({ inputs, outputs }, shapeOf) =>
      knownCount([...shapeOf(outputs[0]!), ...shapeOf(inputs[1]!).slice(1)]),
  },
  {
    op: 'ConvTranspose',
    infer: convTransposeType,
    gradient: { reads: ['x0', 'x1'], write: convTransposeGradients },
    respell: withExplicitPads,
    multiplications: ({ inputs }, shapeOf) => knownCount([...shapeOf(inputs[0]!), ...shapeOf(inputs[1]!).slice(1)]),
  },
  // To blocks of channels and back, where convolutions take those; the shape stays that of the plain image.
  { op: 'ReorderInput', infer: like(0) },
  { op: 'ReorderOutput', infer: like(0) },
];
