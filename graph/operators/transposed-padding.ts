import { ModelError } from '../../errors.ts';
import { type Attributes, ints, intsAttribute, type Node, stringAttribute } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';

/**
 * Writes a ConvTranspose whose padding follows from `auto_pad` or `output_shape` with the pads that it comes to, as exporters of TensorFlow
 * models leave them open (ONNX operator set 11: what is too much is cut off, the odd one at the end with SAME_UPPER and else at the start).
 * @throws ModelError when the sizes that decide are not known, or an output is asked for that is larger than what there is
 */
export function withExplicitPads(
  b: GraphWriter,
  node: Node,
  inputs: readonly string[],
  attributes: Attributes,
): readonly string[] {
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  const asked = intsAttribute(node, 'output_shape');
  const { auto_pad: _, output_shape: __, ...others } = attributes;
  const write = (pads: Attributes) =>
    b.node('ConvTranspose', inputs, { ...others, ...pads }, { name: b.has(node.name) ? undefined : node.name });
  if (asked === undefined && !auto.startsWith('SAME')) {
    return write(
      auto === 'VALID'
        ? {
            pads: ints(
              b
                .shape(inputs[0]!)
                .slice(2)
                .flatMap(() => [0, 0]),
            ),
          }
        : {},
    );
  }
  const surplus = asked === undefined ? beyondStrides(b, node, inputs) : beyondAsked(b, node, inputs, asked);
  const atStart = surplus.map((total) => (auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)));
  return write({ pads: ints([...atStart, ...surplus.map((total, i) => total - atStart[i]!)]) });
}

/** What SAME cuts off, so that the output is `stride` times as long as the input: how far a kernel reaches beyond the next one's begin. */
function beyondStrides(b: GraphWriter, node: Node, inputs: readonly string[]): number[] {
  return reaches(b, node, inputs).map((reach) => Math.max(0, reach));
}

/** How much longer than asked for the output would be without padding. */
function beyondAsked(b: GraphWriter, node: Node, inputs: readonly string[], asked: readonly number[]): number[] {
  const sizes = b.shape(inputs[0]!).slice(2);
  const strides = intsAttribute(node, 'strides') ?? sizes.map(() => 1);
  // Some name the batch and the channels, too.
  const lengths = asked.slice(-sizes.length);
  return reaches(b, node, inputs).map((reach, i) => {
    const size = sizes[i]!;
    if (typeof size !== 'number') {
      throw new ModelError(
        `node '${node.name}' (ConvTranspose): with output_shape the padding depends on the size of the input, which is open (${size}); export it with pads and output_padding, or with fixed sizes`,
      );
    }
    const total = size * strides[i]! + reach - lengths[i]!;
    if (total < 0) {
      throw new ModelError(
        `node '${node.name}' (ConvTranspose): output_shape [${lengths}] is larger than what the kernel reaches; use output_padding`,
      );
    }
    return total;
  });
}

/** By how much the unpadded output is longer than `stride` times the input. */
function reaches(b: GraphWriter, node: Node, inputs: readonly string[]): number[] {
  const kernel = b.shape(inputs[1]!).slice(2) as number[];
  const each = (name: string, fallback: number) => intsAttribute(node, name) ?? kernel.map(() => fallback);
  const [strides, dilations, extra] = [each('strides', 1), each('dilations', 1), each('output_padding', 0)];
  return kernel.map((size, i) => (size - 1) * dilations[i]! + 1 + extra[i]! - strides[i]!);
}
