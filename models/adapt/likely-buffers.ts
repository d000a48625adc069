import type { Model, Tensor } from '../../graph/ir.ts';
import { isComputed } from '../../graph/made-up-names.ts';

/** A tensor that counts as a weight, since files do not say which of their initializers are, but looks like none. */
export interface LikelyBuffer {
  readonly name: string;
  readonly why: string;
}

/** What frameworks and model authors call tensors that a model stores and does not train. */
const telling =
  /(^|[._/:])(\w*mask\w*|(inv_)?freqs?|inv_freq|rotary\w*|mean|std|win|mel|final_logits_bias|pe|position_ids|running_(mean|var)|anchors?|sinusoids?|window|mel_\w+|(pixel|image)_(mean|std)|buffer)$/i;

/** Scores of masked positions are at or below this; no trained weight is. */
const maskedScore = -1e4;

/** The weights that look like masks, position tables or stored statistics, and would better be excluded from training. */
export function likelyBuffers({ graph, weights }: Model): LikelyBuffer[] {
  // The usual first bias of a recurrent layer is one for the forget gate and zero elsewhere.
  const recurrent = new Set(
    graph.nodes.filter(({ op }) => ['LSTM', 'GRU', 'RNN'].includes(op)).flatMap(({ inputs }) => inputs),
  );
  const tables = new Set(graph.nodes.filter(({ op }) => op === 'Gather').map(({ inputs }) => inputs[0]));
  return weights.flatMap((name) => {
    const why =
      reason(name, graph.constants.get(name)!, recurrent.has(name)) ??
      (isComputed(name) && tables.has(name) ? 'its name is that of a table which the exporter computed' : undefined);
    return why === undefined ? [] : [{ name, why }];
  });
}

function reason(name: string, { data }: Tensor, recurrent: boolean): string | undefined {
  const values = data as Float32Array;
  const least = values.reduce((smallest, value) => Math.min(smallest, value), 0);
  if (least <= maskedScore) return `it holds ${least}, as masks do`;
  const binary = values.every((value) => value === 0 || value === 1);
  if (binary && !recurrent && values.includes(0) && values.includes(1)) return 'it holds only zeros and ones';
  return telling.test(name) ? 'its name is that of a buffer' : undefined;
}

/** The finding in words, with the mend. */
export function bufferHint({ name, why }: LikelyBuffer): string {
  return `'${name}' is trained like a weight, but ${why}; if it is none, add it to train.exclude`;
}
