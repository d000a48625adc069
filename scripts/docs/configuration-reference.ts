import { z } from 'zod';

type Schema = z.core.JSONSchema.BaseSchema;

/** A schema with the name of the key it describes. */
interface Named {
  readonly key: string;
  readonly schema: Schema;
}

/** What a key's composite value is called in the tables, when it has a place of its own. */
type Places = ReadonlyMap<string, string>;

const INTRODUCTION = `# Configuration

*Written by \`npm run docs\` from the schemas that check every configuration. Do not edit by hand.*

A run is described by one YAML file; \`configs/\` has some to start from. Unknown keys are errors, so nothing is silently ignored.
Any key can be changed on the command line: \`--set federation.rounds=10\`, \`--set 'optimizer={kind: sgd, learningRate: 1}'\`;
an empty value (\`--set local.steps=\`) removes a key. \`model.path\` and \`data.path\` are relative to the YAML file, or to the current
directory when given by \`--set\`. The file with all defaults filled in is kept as \`config.yaml\` in the run directory.

Some rules tie keys together:

- \`local\` takes exactly one of \`steps\` and \`epochs\`.
- \`privacy.noise\` takes exactly one of \`multiplier\`, \`sigmaDp\`, \`sigmaClient\` (see [privacy.md](privacy.md#three-ways-to-state-the-noise)) and \`calibrate\`,
  which needs \`privacy.budget\`.
- Every \`privacy.mechanism\` but \`none\` needs \`noise\` and a clipping mode other than \`none\` (\`laplace\`: \`l1\`); \`none\` takes neither \`noise\` nor
  \`extrapolate\`. \`treeAggregation\` and \`bandedMatrix\` go with \`federation.sampling: cyclic\`.
- \`federation.expectedCohort\` must not exceed the population (sampling rate q ≤ 1).
- \`seedModel\` needs a data set with public examples (\`synthetic-speech\` has some).
- \`model.kind\` must suit the data: \`transformer-ctc\` for speech, \`cnn\` and \`mlp\` for images, \`onnx\` for either and for fields of your own.`;

/** The reference of a configuration schema as Markdown: a section per top-level key, a table per alternative. */
export function configurationReference(schema: z.ZodType): string {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  const keys = propertiesOf(root);
  const sections = keys.filter(({ schema: each }) => isComposite(each));
  const shared = sharedSections(sections);
  const places: Places = new Map([...sections, ...shared].map(({ key, schema: each }) => [identity(each), key]));
  const plain = { ...root, properties: Object.fromEntries(keys.filter((each) => !sections.includes(each)).map(entry)) };
  const required = new Set(root.required ?? []);
  return `${[
    INTRODUCTION,
    `## Top level\n\n${table(plain, places)}`,
    ...sections.map((each) => section(each, places, required.has(each.key) ? '' : 'Optional. ')),
    ...shared.map((each) => section(each, places, `Part of ${usesOf(each, sections)}. `)),
  ].join('\n\n')}\n`;
}

/** Composite values that stand in more than one place below the top level: described once, at the end. */
function sharedSections(sections: readonly Named[]): Named[] {
  const known = new Set(sections.map(({ schema }) => identity(schema)));
  const seen = new Map<string, Named>();
  const shared = new Map<string, Named>();
  const visit = (named: Named) => {
    for (const child of formsOf(named.schema).flatMap(propertiesOf)) {
      const id = identity(child.schema);
      if (!isComposite(child.schema) || known.has(id)) continue;
      if (seen.has(id)) shared.set(id, child);
      else visit(child);
      seen.set(id, child);
    }
  };
  for (const each of sections) visit(each);
  return [...shared.values()];
}

function usesOf({ key, schema }: Named, sections: readonly Named[]): string {
  const id = identity(schema);
  const users = sections.filter((each) =>
    formsOf(each.schema).some((form) => propertiesOf(form).some((child) => identity(child.schema) === id)),
  );
  return users.map((user) => `\`${user.key}.${key}\``).join(', ');
}

function section({ key, schema }: Named, places: Places, remark: string): string {
  const head = `## ${key}\n\n${remark}${sentence(schema.description)}`.trimEnd();
  const forms = formsOf(schema);
  if (forms.length === 1) return `${head}\n\n${table(forms[0], places)}`;
  const parts = forms.map((form) => {
    const rest = Object.fromEntries(Object.entries(form.properties ?? {}).filter(([name]) => name !== 'kind'));
    const body = Object.keys(rest).length === 0 ? 'No further keys.' : table({ ...form, properties: rest }, places);
    return `### ${key}: \`kind: ${kindOf(form)}\`\n\n${form.description ? `${sentence(form.description)}\n\n` : ''}${body}`;
  });
  return [head, ...parts].join('\n\n');
}

function table(form: Schema, places: Places): string {
  const rows = rowsOf(form, '', places).map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
  return ['| key | value | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

/** One row per key; a nested section without a place of its own is written out with dotted keys. */
function rowsOf(form: Schema, prefix: string, places: Places): string[][] {
  const required = new Set(form.required ?? []);
  return propertiesOf(form).flatMap(({ key, schema }) => {
    const name = `${prefix}${key}`;
    const initial = required.has(key) ? '**required**' : defaultWords(schema);
    const place = places.get(identity(schema));
    if (place !== undefined) {
      return [[`\`${name}\``, `section [${place}](#${place})`, initial, sentence(schema.description)]];
    }
    if (!isComposite(schema)) return [[`\`${name}\``, valueWords(schema), initial, sentence(schema.description)]];
    return [
      [`\`${name}\``, 'section', initial, sentence(schema.description)],
      ...formRows(formsOf(schema), `${name}.`, places),
    ];
  });
}

/** The keys of a nested section. The key that chooses between alternatives comes once; what depends on it says so. */
function formRows(forms: readonly Schema[], prefix: string, places: Places): string[][] {
  if (forms.length === 1) return rowsOf(forms[0], prefix, places);
  const chooser = propertiesOf(forms[0]).find(({ schema }) => schema.const !== undefined || schema.enum)?.key ?? '';
  const choices = forms.map((form) => form.properties?.[chooser] as Schema);
  const row = [
    `\`${prefix}${chooser}\``,
    choices.map(valueWords).join(' or '),
    '**required**',
    choices
      .map(({ description }) => sentence(description))
      .join(' ')
      .trim(),
  ];
  const dependent = forms.flatMap((form, i) => {
    const rows = rowsOf(form, prefix, places).filter(([key]) => key !== row[0]);
    return rows.map(([key, value, initial, meaning]) => [
      key,
      value,
      initial,
      `With ${valueWords(choices[i])}: ${lowerFirst(meaning)}`,
    ]);
  });
  return [row, ...dependent];
}

/** What may stand behind a key, in words. */
function valueWords(schema: Schema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(' or ');
  const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])] as Schema[];
  if (forms.length > 0) return forms.map(valueWords).join(' or ');
  if (schema.type === 'array') {
    if (schema.prefixItems) return `list of ${(schema.prefixItems as Schema[]).map(valueWords).join('; ')}`;
    const items = schema.items as Schema;
    const keys = propertiesOf(items).map(({ key }) => `\`${key}\``);
    return keys.length > 0 ? `list of sections with ${keys.join(', ')}` : `list of ${valueWords(items)}`;
  }
  if (schema.type === 'string') return 'text';
  return [schema.type, ...limitsOf(schema)].join(' ');
}

function limitsOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema): string[] {
  // zod bounds every integer by the safe range, which says nothing.
  const real = (limit: number | boolean | undefined): limit is number =>
    typeof limit === 'number' && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
  const limits: string[] = [];
  if (real(minimum)) limits.push(`≥ ${minimum}`);
  if (real(exclusiveMinimum)) limits.push(`> ${exclusiveMinimum}`);
  if (real(maximum)) limits.push(`≤ ${maximum}`);
  if (real(exclusiveMaximum)) limits.push(`< ${exclusiveMaximum}`);
  return limits.length === 0 ? [] : [limits.join(', ')];
}

function defaultWords(schema: Schema): string {
  if (schema.default === undefined) return '–';
  const small = typeof schema.default === 'number' && schema.default > 0 && schema.default < 1e-3;
  if (small) return `\`${(schema.default as number).toExponential()}\``;
  if (typeof schema.default !== 'object') return `\`${String(schema.default)}\``;
  const value = JSON.stringify(schema.default);
  // An empty section only means that its keys have defaults of their own.
  return value === '{}' ? '–' : `\`${value.replaceAll('"', '').replaceAll(':', ': ').replaceAll(',', ', ')}\``;
}

/** Sections, and choices between sections; not lists or choices between plain values. */
function isComposite(schema: Schema): boolean {
  return formsOf(schema).some((form) => form.properties !== undefined);
}

function formsOf(schema: Schema): Schema[] {
  const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])] as Schema[];
  return forms.length === 0 ? [schema] : forms;
}

function propertiesOf(schema: Schema): Named[] {
  return Object.entries((schema.properties ?? {}) as Record<string, Schema>).map(([key, each]) => ({
    key,
    schema: each,
  }));
}

function entry({ key, schema }: Named): [string, Schema] {
  return [key, schema];
}

function kindOf(form: Schema): string {
  return String((form.properties?.kind as Schema | undefined)?.const ?? '');
}

/** What two keys must have in common to be described once. */
function identity({ description: _description, default: _default, ...rest }: Schema): string {
  return JSON.stringify(rest);
}

/** A description as a sentence: some schemas write them as labels. */
function sentence(text = ''): string {
  if (text === '') return '';
  const escaped = text.replaceAll('<', '&lt;');
  // Symbols such as δ mean something else when capitalised.
  const first = /^[a-z]/.test(escaped) ? escaped.charAt(0).toUpperCase() : escaped.charAt(0);
  return `${first}${escaped.slice(1)}${/[.…]$/.test(escaped) ? '' : '.'}`;
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
