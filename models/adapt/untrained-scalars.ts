import type { Model } from '../../graph/ir.ts';
import { isComputed, isMadeUp } from '../../graph/made-up-names.ts';

/** What the exporter's own formulas call their numbers. */
const ofFormulas =
  /^(alpha|beta|gamma|const|value|threshold|lambd|min|max|eps|epsilon|one|two|zero|half|t|scalar|weight_\d+|int\d+_.*)$/;

/** Numbers with the name of a parameter at the top of a model, which are not trained, since nothing tells them from those of a formula. */
export function untrainedScalars({ graph, weights }: Model): string[] {
  const trained = new Set(weights);
  return [...graph.constants].flatMap(([name, { dtype, dims }]) => {
    const named = dtype === 'float32' && dims.length === 0 && /^[a-z_]\w*$/i.test(name);
    return named && !trained.has(name) && !isMadeUp(name) && !isComputed(name) && !ofFormulas.test(name) ? [name] : [];
  });
}

/** The finding in words, with the mend. */
export function scalarNote(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `'${name}'`);
  return `scalars are taken for numbers of a formula and not trained: ${shown.join(', ')}${names.length > 8 ? ', ...' : ''}; a parameter among them needs an axis (torch.ones(1)), or a place in a submodule`;
}
