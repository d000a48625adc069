/** Put under the title of every section that the guarantee does not cover. */
export const NOT_COVERED_NOTE =
  '*Not covered by the privacy guarantee: no noise was added to these figures. Do not publish them for real users.*';

/** A table of Markdown; bars in cells are escaped. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** A list of sentences. */
export function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
