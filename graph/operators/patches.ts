import { add, sub } from '../expressions.ts';
import { elementCount, float32Tensor, int, ints } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import type { Window } from './windows.ts';

/** Every position inside a kernel, row-major. */
export function kernelOffsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (offsets, size) => offsets.flatMap((offset) => Array.from({ length: size }, (_, i) => [...offset, i])),
    [[]],
  );
}

/** Pads the spatial axes of [batch, channels, ...] as the window says, or of [batch, ..., channels]. */
export function padSpatial(b: GraphWriter, x: string, window: Window, fill: number, channelsLast = false): string {
  if ([...window.padsBegin, ...window.padsEnd].every((pad) => pad === 0)) return x;
  const pads = [window.padsBegin, window.padsEnd].flatMap((side) => (channelsLast ? [0, ...side, 0] : [0, 0, ...side]));
  return b.op('Pad', [x, b.axes(pads), b.scalar(fill)]);
}

/**
 * For each kernel position, the padded input's element under it in every window: tensors of the output's spatial shape.
 * @param like a tensor [batch, channels, ...] with the output's spatial sizes
 * @param channelsLast whether the input is [batch, ..., channels]
 */
export function windowSlices(
  b: GraphWriter,
  padded: string,
  like: string,
  window: Window,
  channelsLast = false,
): string[] {
  const axes = window.kernel.map((_, i) => i + (channelsLast ? 1 : 2));
  const outputs = b.op('Shape', [like], { start: int(2) });
  const reach = add(
    b,
    b.op('Mul', [sub(b, outputs, b.axes(axes.map(() => 1))), b.axes(window.strides)]),
    b.axes(axes.map(() => 1)),
  );
  return kernelOffsets(window.kernel).map((offset) => {
    const starts = b.axes(offset.map((position, i) => position * window.dilations[i]!));
    return b.op('Slice', [padded, starts, add(b, starts, reach), b.axes(axes), b.axes(window.strides)]);
  });
}

/**
 * The transpose of `windowSlices`: adds parts [batch, channels, positions, ...output] back at the places they were cut from, giving
 * the shape of `x`. A transposed convolution with one-hot kernels does the scattering.
 */
export function foldWindows(b: GraphWriter, parts: string, x: string, window: Window): string {
  const positions = elementCount(window.kernel);
  const identity = new Float32Array(positions * positions);
  for (let i = 0; i < positions; i++) identity[i * positions + i] = 1;
  const weight = b.constant(float32Tensor([positions, 1, ...window.kernel], identity));
  const spatial = b.op('Shape', [parts], { start: int(3) });
  const flat = b.op('Reshape', [parts, b.op('Concat', [b.axes([-1, positions]), spatial], { axis: int(0) })]);
  return b.op('Reshape', [transposedToSize(b, flat, weight, x, window, 1), b.shapeOf(x)]);
}

/** A transposed convolution whose result has the spatial size of `x`, which a strided window may not reach by itself. */
export function transposedToSize(
  b: GraphWriter,
  dy: string,
  weight: string,
  x: string,
  window: Window,
  groups: number,
): string {
  const attributes = {
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    group: int(groups),
    kernel_shape: ints(window.kernel),
  };
  const size = b.shape(x).slice(2);
  const out = b.shape(dy).slice(2);
  const missing = size.map((target, i) => {
    const from = out[i];
    if (typeof target !== 'number' || typeof from !== 'number') return window.strides[i] === 1 ? 0 : undefined;
    const span = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    return target - ((from - 1) * window.strides[i]! + span - window.padsBegin[i]! - window.padsEnd[i]!);
  });
  const pads = ints([...window.padsBegin, ...window.padsEnd]);
  if (missing.every((extra, i) => extra !== undefined && extra >= 0 && (extra === 0 || extra < window.strides[i]!))) {
    return b.op('ConvTranspose', [dy, weight], { ...attributes, pads, output_padding: ints(missing as number[]) });
  }
  // The size is known only at run time: make at least enough, then cut.
  const full = b.op('ConvTranspose', [dy, weight], {
    ...attributes,
    output_padding: ints(window.strides.map((stride) => stride - 1)),
  });
  const starts = b.axes(window.padsBegin);
  const ends = add(b, starts, b.op('Shape', [x], { start: int(2) }));
  return b.op('Slice', [full, starts, ends, b.axes(window.kernel.map((_, i) => i + 2))]);
}
