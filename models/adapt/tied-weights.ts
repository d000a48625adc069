import type { Model, Tensor } from '../../graph/ir.ts';
import { isComputed, isMadeUp } from '../../graph/made-up-names.ts';

/** A weight, and the copy of it that the exporter made and named. */
export interface TiedPair {
  readonly name: string;
  readonly copy: string;
}

/**
 * Pairs of matrices with the same values, one perhaps transposed, of which the exporter named one: a weight that the model uses twice (an
 * embedding that is also the output matrix), folded into two tensors. Layers that begin alike, as clones do, have names of one kind.
 */
export function tiedWeights({ graph, weights }: Model): TiedPair[] {
  const matrices = weights.filter((name) => graph.constants.get(name)!.dims.length === 2);
  const ofExporter = (name: string) => isMadeUp(name) || isComputed(name);
  const copies = matrices.filter(ofExporter);
  return matrices.flatMap((name) => {
    if (ofExporter(name)) return [];
    const tensor = graph.constants.get(name)!;
    const copy = copies.find((other) => sameValues(tensor, graph.constants.get(other)!));
    return copy === undefined ? [] : [{ name, copy }];
  });
}

/** Whether two matrices are equal, or one is the transpose of the other. Those filled with one number say nothing. */
function sameValues(a: Tensor, b: Tensor): boolean {
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  const [rows, columns] = a.dims as [number, number];
  if (x.length !== y.length || x[0] !== y[0] || x.every((value) => value === x[0])) return false;
  if (b.dims[0] === rows && x.every((value, i) => value === y[i])) return true;
  return b.dims[0] === columns && x.every((value, i) => value === y[(i % columns) * rows + Math.floor(i / columns)]);
}

/** What comes of it, with the mend. */
export function tiedNote({ name, copy }: TiedPair): string {
  return `'${name}' and '${copy}' hold the same values: the model ties them, but the file has two tensors, which are trained apart; export it with do_constant_folding=False to keep one`;
}

/** What a user should know of a weight that the file gives several names. */
export function mergedNotes({ graph, weights }: Model): string[] {
  const trained = new Set(weights);
  return graph.nodes
    .filter(({ op, inputs }) => op === 'Identity' && trained.has(inputs[0]!))
    .map(
      ({ inputs, outputs }) =>
        `'${outputs[0]}' is '${inputs[0]}' in the file, and they are trained as one; if the model does not tie them, they had equal values when it was exported: export it again with others`,
    );
}
