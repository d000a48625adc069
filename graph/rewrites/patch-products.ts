import { areKnown } from '../dims.ts';
import { elementCount, float32Tensor, int, intAttribute, ints, type Node, type Tensor } from '../ir.ts';
import { kernelOffsets } from '../operators/patches.ts';
import { type Window, windowOf, windowOutput } from '../operators/windows.ts';
import type { GraphWriter } from '../writer.ts';
import { type ConvolutionSizes, isMostlyPadded, writePositionProducts } from './position-products.ts';
import { type GraphView, type Rewrite, replacing } from './rewrite.ts';

/** On images of so many places and more, the runtime's convolutions are as fast. */
const placesOfLargeImages = 36;
/** With fewer channels there is nothing to gain. */
const fewestChannels = 64;
/** Cutting patches costs this many multiplications for each pixel where the product has one for each output channel. */
const outputsPerPixel = 4;

/**
 * A convolution of small images with many channels is one product: of the patches under the kernel, a row for each place of each image,
 * with the kernel as a matrix; or, where much of the patches is padding, a product for each position of the kernel. No kernel has to be turned around for
 * the images' gradient then, which costs much where it is larger than the images, and the step can be fused into the kernel's. On 512 channels of 4×4 forward
 * and backward pass take three quarters of the time (`npm run bench -- patches`).
 */
export const multiplyPatches: Rewrite = replacing((node, view) => {
  const sizes = node.op === 'Conv' && node.domain === '' ? sizesOf(node, view) : undefined;
  if (!sizes) return undefined;
  const { b } = view;
  const [x, weight, bias] = node.inputs as [string, string, string?];
  const { image, places, outputs, channels } = sizes;
  const channelsLast = { perm: ints([0, 2, 1]) };
  const write = () => {
    const pixels = b.op('Transpose', [b.reshape(x, [0, channels, elementCount(image)])], channelsLast);
    const writeProducts = isMostlyPadded(sizes) ? writePositionProducts : writePatchProduct;
    const product = writeProducts(b, sizes, pixels, weight, bias);
    const channelsFirst = b.op('Transpose', [b.reshape(product, [-1, elementCount(places), outputs])], channelsLast);
    const type = b.type(node.outputs[0]!);
    const shape = b.axes([-1, outputs, ...places]);
    b.op('Reshape', [channelsFirst, shape], {}, { outputNames: node.outputs, name: node.name });
    b.declare(node.outputs[0]!, type);
  };
  return () => b.within(node.name, write);
});

/**
 * One product. The patches are cut by a product, too, with a matrix of zeros and ones, since that is differentiated by its transpose.
 * @returns a row of outputs for each place of each image
 */
function writePatchProduct(
  b: GraphWriter,
  { window, image, places, outputs, channels }: ConvolutionSizes,
  pixels: string,
  weight: string,
  bias: string | undefined,
): string {
  const positions = elementCount(window.kernel);
  const patches = b.op('MatMul', [b.constant(selection(window, image, places)), pixels]);
  const rows = b.reshape(patches, [-1, positions * channels]);
  const kernel = b.op('Transpose', [b.reshape(weight, [outputs, channels, positions])], { perm: ints([0, 2, 1]) });
  const matrix = b.reshape(kernel, [outputs, positions * channels]);
  return b.op('Gemm', bias ? [rows, matrix, bias] : [rows, matrix], { transB: int(1) });
}

function sizesOf(node: Node, { b }: GraphView): ConvolutionSizes | undefined {
  const [outputs, channels, ...kernel] = b.shape(node.inputs[1]!);
  const image = b.shape(node.inputs[0]!).slice(2);
  if (!areKnown([outputs!, channels!, ...kernel, ...image]) || intAttribute(node, 'group', 1) !== 1) return undefined;
  const window = windowOf(node, kernel as number[], image);
  const places = windowOutput(window, image) as number[];
  const pays =
    elementCount(kernel as number[]) > 1 &&
    elementCount(places) < placesOfLargeImages &&
    Math.min(outputs as number, channels as number) >= fewestChannels &&
    outputsPerPixel * elementCount(image as number[]) <= (outputs as number);
  if (!pays) return undefined;
  return { window, image: image as number[], places, outputs: outputs as number, channels: channels as number };
}

/** [places · positions, pixels]: 1 where the pixel lies under that position of the kernel at that place. */
function selection(window: Window, image: readonly number[], places: readonly number[]): Tensor {
  const offsets = kernelOffsets(window.kernel);
  const pixels = elementCount(image);
  const values = new Float32Array(elementCount(places) * offsets.length * pixels);
  for (const [p, place] of kernelOffsets(places).entries()) {
    for (const [k, offset] of offsets.entries()) {
      const at = place.map((i, d) => i * window.strides[d]! + offset[d]! * window.dilations[d]! - window.padsBegin[d]!);
      if (at.some((i, d) => i < 0 || i >= image[d]!)) continue;
      const pixel = at.reduce((index, i, d) => index * image[d]! + i, 0);
      values[(p * offsets.length + k) * pixels + pixel] = 1;
    }
  }
  return float32Tensor([elementCount(places) * offsets.length, pixels], values);
}
