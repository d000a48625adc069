import { elementCount, int, intAttribute, ints, intsAttribute, type Node } from '../ir.ts';
import { positionsBackwards, positionsFirst } from '../operators/kernel-order.ts';
import { windowOf } from '../operators/windows.ts';
import { type GraphView, type Match, type Rewrite, replacing } from './rewrite.ts';

/** Channels that a processor's vector unit takes at once: 16 with AVX-512, 8 with AVX. */
export type ChannelBlock = 8 | 16;

const domain = 'com.microsoft.nchwc';

/** On smaller images, putting a kernel into blocks costs more than they gain. */
const fewestPlaces = 36;

/**
 * onnxruntime's convolution on blocks of channels [batch, channels / block, height, width, block] is half as fast again as the one on
 * plain images. The runtime itself uses it where kernels are constant; here kernels change in every step, so the order that it wants them
 * in, [outputs / block, channels / block, positions, block, block], is written out. A graph of this kind runs right only on
 * processors with this block.
 *
 * Also a transposed convolution of stride 1, which is a convolution with the kernel turned around.
 */
export function blockConvolutions(block: ChannelBlock): Rewrite {
  return replacing((node, view) =>
    node.domain === '' ? (plain(node, view, block) ?? transposed(node, view, block)) : undefined,
  );
}

/** Whether a compiled graph has convolutions on blocks of channels, and so runs right on one kind of processor alone. */
export function usesBlocks(onnx: Uint8Array): boolean {
  return Buffer.from(onnx.buffer, onnx.byteOffset, onnx.byteLength).includes(domain);
}

function plain(node: Node, view: GraphView, block: ChannelBlock): ReturnType<Match> {
  const { b } = view;
  const sizes = node.op === 'Conv' ? kernelSizes(node, view, block) : undefined;
  if (!sizes) return undefined;
  const { first: outputs, second: channels, window } = sizes;
  const { kernel, strides, dilations, padsBegin, padsEnd } = window;
  const positions = elementCount(kernel);
  const write = (input: string, weight: string) =>
    writeBlocked(node, view, [input, weight], outputs, {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      dilations: ints(dilations),
      pads: ints([...padsBegin, ...padsEnd]),
    });
  const [x, w] = node.inputs as [string, string];
  if (channels < block) return () => write(x, outputsBlocked(view, w, [outputs, channels], kernel, block));
  return () => {
    const rows = b.reshape(positionsFirst(b, w), [positions, outputs, channels]);
    const inputsFirst = b.op('Transpose', [rows], { perm: ints([0, 2, 1]) });
    write(inBlocks(view, x), blocked(view, inputsFirst, [channels, outputs], kernel, block));
  };
}

function transposed(node: Node, view: GraphView, block: ChannelBlock): ReturnType<Match> {
  const { b } = view;
  const sizes =
    node.op === 'ConvTranspose' && (intsAttribute(node, 'output_padding') ?? []).every((size) => size === 0)
      ? kernelSizes(node, view, block)
      : undefined;
  if (!sizes) return undefined;
  const { first: channels, second: outputs, window } = sizes;
  const { kernel, strides, dilations, padsBegin, padsEnd } = window;
  const reach = kernel.map((size, i) => (size - 1) * dilations[i]!);
  const pads = [padsBegin, padsEnd].flatMap((side) => side.map((pad, i) => reach[i]! - pad));
  if (strides.some((stride) => stride !== 1) || pads.some((pad) => pad < 0)) return undefined;
  const attributes = { kernel_shape: ints(kernel), dilations: ints(dilations), pads: ints(pads) };
  return () => {
    const weight = blocked(view, positionsBackwards(b, node.inputs[1]!), [channels, outputs], kernel, block);
    writeBlocked(node, view, [inBlocks(view, node.inputs[0]!), weight], outputs, attributes);
  };
}

/**
 * The sizes of a kernel [first, second, height, width] without groups whose channels are whole blocks, and how it moves. A convolution may have
 * fewer input channels than a block: it takes those as they are.
 */
function kernelSizes(node: Node, { b }: GraphView, block: ChannelBlock) {
  const shape = b.shape(node.inputs[1]!);
  if (shape.length !== 4 || !shape.every((size) => typeof size === 'number')) return undefined;
  const [first, second, ...kernel] = shape as [number, number, ...number[]];
  const fits = second % block === 0 || (node.op === 'Conv' && second < block);
  if (intAttribute(node, 'group', 1) !== 1 || first % block !== 0 || !fits) return undefined;
  const places = b.shape(node.outputs[0]!).slice(2);
  if (places.every((size) => typeof size === 'number') && elementCount(places as number[]) < fewestPlaces)
    return undefined;
  return { first, second, window: windowOf(node, kernel, b.shape(node.inputs[0]!).slice(2)) };
}

/** A kernel by position, input and output channel, in blocks: blocks of 64 bytes and more move, no single values. */
function blocked(
  { b }: GraphView,
  rows: string,
  [channels, outputs]: readonly [number, number],
  kernel: readonly number[],
  block: ChannelBlock,
): string {
  const positions = elementCount(kernel);
  const apart = b.reshape(rows, [positions, channels / block, block, outputs / block, block]);
  const moved = b.op('Transpose', [apart], { perm: ints([3, 1, 0, 2, 4]) });
  return b.reshape(moved, [outputs, channels, ...kernel]);
}

/** A kernel for few input channels, [outputs / block, channels, positions, block]. It is small: no order is slow. */
function outputsBlocked(
  { b }: GraphView,
  weight: string,
  [outputs, channels]: readonly [number, number],
  kernel: readonly number[],
  block: ChannelBlock,
): string {
  const apart = b.reshape(weight, [outputs / block, block, channels, elementCount(kernel)]);
  return b.reshape(b.op('Transpose', [apart], { perm: ints([0, 2, 3, 1]) }), [outputs, channels, ...kernel]);
}

function inBlocks({ b }: GraphView, image: string): string {
  return b.op('ReorderInput', [image], { channels_last: int(0) }, { domain });
}

function writeBlocked(
  node: Node,
  { b }: GraphView,
  operands: readonly [string, string],
  outputs: number,
  attributes: Readonly<Record<string, ReturnType<typeof ints>>>,
): void {
  const bias = node.inputs[2];
  const convolved = b.op('Conv', bias ? [...operands, bias] : operands, attributes, { domain });
  const type = b.type(node.outputs[0]!);
  const back = { channels: int(outputs), channels_last: int(0) };
  b.op('ReorderOutput', [convolved], back, { domain, outputNames: node.outputs });
  // As inferred before: sizes may be spelled differently now.
  b.declare(node.outputs[0]!, type);
}

/** Activations that keep their place: what they do to an image they do to its blocks. */
const activations = new Set(['Relu', 'LeakyRelu', 'Elu', 'Sigmoid', 'Tanh', 'HardSigmoid', 'HardSwish']);

/**
 * Takes an activation between two convolutions on blocks of channels before the image is brought back from them, so that the second reads blocks where
 * it had them made anew.
 */
export const activateInBlocks: Rewrite = (b, outputs) => {
  /** An activated image → its blocks. */
  const activatedBlocks = new Map<string, string>();
  replacing((node, { producer, readers }) => {
    const [input] = node.inputs as [string];
    const [output] = node.outputs as [string];
    if (node.op === 'ReorderInput') {
      const known = activatedBlocks.get(input);
      return known === undefined ? undefined : () => b.op('Identity', [known], {}, { outputNames: [output] });
    }
    const before = activations.has(node.op) ? producer(input) : undefined;
    if (before?.op !== 'ReorderOutput' || !readers(output).some(({ op }) => op === 'ReorderInput')) return undefined;
    return () => {
      const type = b.type(output);
      const activated = b.op(node.op, [before.inputs[0]!], node.attributes);
      activatedBlocks.set(output, activated);
      b.op('ReorderOutput', [activated], before.attributes, { domain, outputNames: [output] });
      b.declare(output, type);
    };
  })(b, outputs);
};
