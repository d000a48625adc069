import { distance } from 'fastest-levenshtein';

/** Whether a name fits a pattern, in which `*` stands for any characters (dots and slashes too) and `?` for one. */
export function matches(pattern: string, name: string): boolean {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(name);
}

/** The names most like a pattern that fits none, likeliest first: what its author may have meant. */
export function nearNames(pattern: string, names: readonly string[], count = 3): string[] {
  const words = pattern.replaceAll(/[*?]/g, '').toLowerCase();
  const edits = (name: string) => distance(words, name.toLowerCase()) - shared(words, name.toLowerCase());
  return names
    .map((name) => ({ name, cost: edits(name) }))
    .sort((a, b) => a.cost - b.cost)
    .slice(0, count)
    .map(({ name }) => name);
}

/** Length of the longest beginning of `words` that occurs in `name`: half a name is as good a hint as a misspelled one. */
function shared(words: string, name: string): number {
  let length = words.length;
  while (length > 0 && !name.includes(words.slice(0, length))) length--;
  return 2 * length;
}
