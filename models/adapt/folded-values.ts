import { isFilled, type Model, type Tensor } from '../../graph/ir.ts';
import { isComputed, isMadeUp } from '../../graph/made-up-names.ts';

/** Inputs that hold a layer's matrix, kernel or table: what stands there is a weight, whatever it is called. */
const matrices: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Einsum: [0, 1],
  GRU: [1, 2, 3],
  Gather: [0],
  Gemm: [0, 1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LSTM: [1, 2, 3],
  LayerNormalization: [1, 2],
  MatMul: [0, 1],
  PRelu: [1],
  RNN: [1, 2, 3],
};

/**
 * The weights that PyTorch's exporter computed from constants when it wrote the file (`val_72`, `clamp_2`, `expand_1`), such as position tables and masks:
 * they have its made-up names where parameters have module paths, and no layer reads them as its weight. (A folded transpose of a
 * weight is called `val_3`, too, and stays one, as does the scale of a GroupNorm.)
 */
export function foldedValues({ graph, weights }: Model): string[] {
  if (!weights.some((name) => name.includes('.') && !isMadeUp(name) && !isComputed(name))) return [];
  const layers = new Set(
    graph.nodes.flatMap((node) =>
      (matrices[node.op] ?? []).flatMap((position) => {
        const name = node.inputs[position];
        return name === undefined || isIdle(node.op, position, graph.constants.get(name)) ? [] : [name];
      }),
    ),
  );
  return weights.filter((name) => isComputed(name) && !layers.has(name) && !isPerChannel(graph.constants.get(name)!));
}

/** The ones and zeros for a normalisation without scale and shift; a GroupNorm is exported as one, with its own behind it. */
function isIdle(op: string, position: number, tensor: Tensor | undefined): boolean {
  return op === 'InstanceNormalization' && isFilled(tensor, position === 1 ? 1 : 0);
}

/** [channels, 1, 1]: the scale or shift of a GroupNorm, which the exporter reshaped. */
function isPerChannel({ dims }: Tensor): boolean {
  return dims.length > 1 && dims[0]! > 1 && dims.slice(1).every((size) => size === 1);
}

/** What became of them, with the mend. */
export function foldedNote(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `'${name}'`);
  const rest = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
  const [are, their] =
    names.length === 1 ? ['is', 'its name is that of a value'] : ['are', 'their names are those of values'];
  return `${shown.join(', ')}${rest} ${are} not trained: ${their} that the exporter computed; train.include, such as ['*'], trains what it names all the same`;
}
