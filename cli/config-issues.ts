import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { type ConfigDocument, dotted, type KeyPath } from './config-document.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;
type Issue = z.core.$ZodIssue;

/**
 * Turns the issues of a failed zod parse into one line each, in the order of the file:
 * `configs/x.yaml:12: federation.expectedCohrt: unknown key; did you mean 'expectedCohort'?`
 * @param schema the schema that was parsed with; its keys and descriptions make the suggestions
 */
export function explainIssues(schema: z.ZodType, document: ConfigDocument, issues: readonly Issue[]): string[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  const lines = issues.flatMap((issue) => explain(root, document, issue, []));
  return [...new Set(lines)];
}

function explain(root: JsonSchema, document: ConfigDocument, issue: Issue, parent: KeyPath): string[] {
  const path: KeyPath = [...parent, ...(issue.path as (string | number)[])];
  const received = valueAt(document.value, path);
  const at = (where: KeyPath, text: string) => {
    const place = document.locate(where);
    const key = dotted(where);
    return key === '' || place === `--set ${key}` ? `${place}: ${text}` : `${place}: ${key}: ${text}`;
  };

  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => at([...path, key], unknownKey(root, document, path, key)));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branch = likeliestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => explain(root, document, inner, path));
  }
  const schemas = schemasAt(root, document.value, path);
  const hint = schemas.find((schema) => schema.description)?.description;
  const note = hint && hint.length <= 100 ? ` (${hint})` : '';
  const expected = expectation(issue, schemas);
  if (received === undefined && issue.code !== 'custom') {
    return [at(path, `this key is missing${expected ? `; it wants ${expected}` : ''}${note}`)];
  }
  if (expected) return [at(path, `expected ${expected}, got ${show(received)}${note}`)];
  return [at(path, issue.code === 'custom' ? issue.message : `${lowerFirst(issue.message)}, got ${show(received)}`)];
}

/** What a value must be, in words; undefined where zod's own message says it better. */
function expectation(issue: Issue, schemas: readonly JsonSchema[]): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const orNull = issue.expected !== 'null' && schemas.some((schema) => schema.type === 'null') ? ' or null' : '';
      const whole = issue.expected === 'number' && schemas.some((schema) => schema.type === 'integer');
      const expected = whole ? 'int' : issue.expected;
      return (TYPE_NAMES[expected] ?? `a value of type ${expected}`) + orNull;
    }
    case 'invalid_value':
      return oneOf(issue.values.map(String));
    case 'invalid_union': {
      const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
      if (options.length > 0) return oneOf(options);
      const types = issue.errors.flatMap((errors) =>
        errors.flatMap((inner) => {
          if (inner.code === 'invalid_type') return [TYPE_NAMES[inner.expected] ?? inner.expected];
          return inner.code === 'invalid_value' ? inner.values.map((value) => `'${String(value)}'`) : [];
        }),
      );
      return types.length > 0 ? [...new Set(types)].join(' or ') : undefined;
    }
    case 'too_small':
      return bound(issue.origin, issue.inclusive ? 'at least' : 'above', issue.minimum);
    case 'too_big':
      return bound(issue.origin, issue.inclusive ? 'at most' : 'below', issue.maximum);
    default:
      return undefined;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'a text',
  boolean: 'true or false',
  object: "a section with keys ('name: value' lines)",
  array: 'a list',
  null: 'null',
};

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'array' || origin === 'set') return `a list of ${relation} ${limit} items`;
  if (origin === 'string') return `a text of ${relation} ${limit} characters`;
  return `a number ${relation} ${limit}`;
}

function oneOf(values: readonly string[]): string {
  const quoted = values.map((value) => `'${value}'`);
  if (quoted.length < 2) return quoted.join('');
  return `${quoted.slice(0, -1).join(', ')} or ${quoted[quoted.length - 1]}`;
}

/**
 * The alternative of a union that the author most likely meant: the only one that is not refused as a whole,
 * or the one with the fewest complaints. Undefined when every alternative is refused for its type.
 */
function likeliestBranch(branches: readonly Issue[][]): Issue[] | undefined {
  const partly = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && isRefusal(issue)));
  return partly.sort((a, b) => a.length - b.length)[0];
}

function isRefusal(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function unknownKey(root: JsonSchema, document: ConfigDocument, section: KeyPath, key: string): string {
  const known = [
    ...new Set(schemasAt(root, document.value, section).flatMap((schema) => Object.keys(schema.properties ?? {}))),
  ];
  const closest = known
    .map((name) => ({ name, edits: distance(name.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)[0];
  if (closest && closest.edits <= Math.max(1, Math.floor(key.length / 3))) {
    return `unknown key; did you mean '${closest.name}'?`;
  }
  const elsewhere = findKey(root, key, []);
  if (elsewhere && dotted(elsewhere) !== dotted([...section, key]))
    return `unknown key here; it belongs at '${dotted(elsewhere)}'`;
  return known.length > 0 ? `unknown key; known keys are ${known.join(', ')}` : 'unknown key; nothing is allowed here';
}

/** The first place in the whole schema where `key` is known. */
function findKey(schema: JsonSchema, key: string, path: KeyPath): KeyPath | undefined {
  for (const form of alternatives(schema)) {
    const properties = (form.properties ?? {}) as Record<string, JsonSchema>;
    if (Object.hasOwn(properties, key)) return [...path, key];
    for (const [name, child] of Object.entries(properties)) {
      const found = findKey(child, key, [...path, name]);
      if (found) return found;
    }
  }
  return undefined;
}

/** The schemas that may apply at `path`, the alternatives of unions narrowed by the `kind` and `mode` that were written. */
function schemasAt(root: JsonSchema, value: unknown, path: KeyPath): JsonSchema[] {
  let schemas = narrow(alternatives(root), value);
  let current = value;
  for (const key of path) {
    current = valueAt(current, [key]);
    const children = schemas.flatMap((schema) => {
      const child = typeof key === 'number' ? schema.items : schema.properties?.[key];
      return typeof child === 'object' && !Array.isArray(child) ? [child as JsonSchema] : [];
    });
    schemas = narrow(children.flatMap(alternatives), current);
  }
  return schemas;
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])] as JsonSchema[];
  if (forms.length === 0) return [schema];
  const described = schema.description ? [{ description: schema.description } as JsonSchema] : [];
  return [...described, ...forms.flatMap(alternatives)];
}

/** Drops the alternatives whose fixed value for a key (`kind: sgd`) contradicts the one that was written. */
function narrow(schemas: JsonSchema[], value: unknown): JsonSchema[] {
  const fitting = schemas.filter((schema) =>
    Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).every(
      ([key, child]) => child.const === undefined || valueAt(value, [key]) === child.const,
    ),
  );
  return fitting.some((schema) => schema.properties) ? fitting : schemas;
}

function valueAt(value: unknown, path: KeyPath): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<string | number, unknown>)[key];
  }
  return current;
}

function show(value: unknown): string {
  if (typeof value === 'string') return `the text '${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a section';
  return String(value);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
