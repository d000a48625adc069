import { distance } from 'fastest-levenshtein';

/** A corpus-level error rate in parts: rate = edits / referenceLength. */
export interface EditCount {
  readonly edits: number;
  readonly referenceLength: number;
}

/** Character edits (insertions, deletions, substitutions) between two sequences of characters. */
export function characterEdits(reference: string, hypothesis: string): EditCount {
  return sequenceEdits([...reference], [...hypothesis]);
}

/** Word edits; words are what white space separates. */
export function wordEdits(reference: string, hypothesis: string): EditCount {
  return sequenceEdits(words(reference), words(hypothesis));
}

/** Total edits over total reference length, 1 = 100 %; 0 for an empty corpus without edits. */
export function errorRate(counts: Iterable<EditCount>): number {
  let edits = 0;
  let length = 0;
  for (const count of counts) {
    edits += count.edits;
    length += count.referenceLength;
  }
  // Words heard where there is nothing to hear are errors, though there is no reference to divide by.
  return edits === 0 ? 0 : edits / Math.max(length, 1);
}

function words(text: string): string[] {
  return text.split(/\s+/u).filter((word) => word !== '');
}

/** Levenshtein distance of token sequences: every distinct token stands for one UTF-16 unit. */
function sequenceEdits(reference: readonly string[], hypothesis: readonly string[]): EditCount {
  const codes = new Map<string, number>();
  const encode = (tokens: readonly string[]): string =>
    tokens
      .map((token) => {
        const code = codes.get(token) ?? codes.size;
        codes.set(token, code);
        return String.fromCharCode(code);
      })
      .join('');
  return { edits: distance(encode(reference), encode(hypothesis)), referenceLength: reference.length };
}
