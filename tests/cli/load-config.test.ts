import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { loadConfig } from '../../cli/load-config.ts';
import { ConfigError } from '../../errors.ts';

// A small schema with one example of every construct that the real configuration uses.
const schema = z
  .strictObject({
    name: z.string().min(1),
    seed: z.union([z.number().int(), z.string()]).default(0),
    model: z.strictObject({ kind: z.literal('onnx'), path: z.string() }).optional(),
    data: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('fsdd'), path: z.string(), takesPerUser: z.number().int().default(5) }),
        z.strictObject({ kind: z.literal('synthetic-speech'), population: z.number().int().positive() }),
      ])
      .optional(),
    federation: z.strictObject({
      rounds: z.number().int().positive().describe('number of central steps T'),
      expectedCohort: z.number().positive(),
    }),
    local: z.strictObject({ maxGradientNorm: z.number().positive().nullable().default(null) }).optional(),
    optimizer: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('lamb'), learningRate: z.number(), beta1: z.number().default(0.9) }),
        z.strictObject({ kind: z.literal('sgd'), learningRate: z.number() }),
      ])
      .optional(),
    privacy: z
      .strictObject({
        clipping: z.strictObject({ mode: z.enum(['global', 'uniform', 'dim']) }).optional(),
        noise: z
          .union([z.strictObject({ multiplier: z.number() }), z.strictObject({ sigmaDp: z.number() })])
          .optional(),
        extrapolate: z.array(z.strictObject({ population: z.number(), expectedCohort: z.number() })).optional(),
      })
      .optional(),
  })
  .refine((config) => config.federation.expectedCohort <= 1000, {
    path: ['federation', 'expectedCohort'],
    message: 'sampling rate q is above 1',
  });

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dpfl-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string): string {
  const file = join(directory, 'x.yaml');
  writeFileSync(file, text);
  return file;
}

/** The message of the ConfigError, with the directory cut away. */
function complaint(text: string, overrides: string[] = []): string {
  const file = write(text);
  try {
    loadConfig(schema, file, overrides);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.replaceAll(`${directory}/`, '');
  }
  throw new Error('the configuration was accepted');
}

const GOOD = 'name: a\nfederation:\n  rounds: 3\n  expectedCohort: 10\n';

describe('a good file', () => {
  test('is read with defaults filled in', () => {
    expect(loadConfig(schema, write(GOOD))).toEqual({
      name: 'a',
      seed: 0,
      federation: { rounds: 3, expectedCohort: 10 },
    });
  });

  test('reads 1e-6 and 1.0e-6 as numbers, and anchors where they are used', () => {
    const config = loadConfig(schema, write('name: a\nfederation: &f { rounds: 3, expectedCohort: 1e-6 }\nseed: 7\n'));
    expect(config.federation.expectedCohort).toBe(1e-6);
  });
});

describe('mistakes in the file', () => {
  test('a missing file', () => {
    expect(() => loadConfig(schema, '/nowhere/x.yaml')).toThrow(
      new ConfigError('/nowhere/x.yaml: no such file; give the path of a YAML configuration'),
    );
  });

  test('a directory', () => {
    expect(() => loadConfig(schema, directory)).toThrow(/is a directory/);
  });

  test('an empty file and a file that is only a list', () => {
    expect(complaint('')).toMatch(/^x\.yaml:1: the file is empty/);
    expect(complaint('- a\n- b\n')).toMatch(/^x\.yaml:1: the file is not a list of keys/);
  });

  test('bad YAML names the line', () => {
    expect(complaint('name: a\nfederation: { rounds: 3\nseed: 1\n')).toMatch(/^x\.yaml:\d+: not valid YAML: /);
    expect(complaint('name: a\n\tseed: 1\n')).toMatch(/^x\.yaml:2: not valid YAML: /);
  });

  test('an undefined alias is bad YAML', () => {
    expect(complaint(`${GOOD}seed: *nowhere\n`)).toMatch(/^x\.yaml(:\d+)?: not valid YAML: .*nowhere/);
  });

  test('a key written twice names the line of the second', () => {
    expect(complaint('name: a\nfederation:\n  rounds: 3\n  rounds: 4\n')).toMatch(
      /^x\.yaml:4: 'rounds' is written twice/,
    );
  });

  test('an unknown key suggests the closest one', () => {
    expect(complaint('name: a\nfederation:\n  rounds: 3\n  expectedCohort: 10\n  expectedCohrt: 9\n')).toBe(
      "x.yaml:5: federation.expectedCohrt: unknown key; did you mean 'expectedCohort'?",
    );
    expect(complaint(`${GOOD}federatoin: {}\n`)).toBe("x.yaml:5: federatoin: unknown key; did you mean 'federation'?");
  });

  test('an unknown key in a section chosen by kind is compared with the keys of that kind', () => {
    expect(complaint(`${GOOD}optimizer:\n  kind: lamb\n  learningRate: 1\n  beta_1: 0.8\n`)).toBe(
      "x.yaml:8: optimizer.beta_1: unknown key; did you mean 'beta1'?",
    );
    expect(complaint(`${GOOD}optimizer:\n  kind: sgd\n  learningRate: 1\n  beta1: 0.8\n`)).toBe(
      'x.yaml:8: optimizer.beta1: unknown key; known keys are kind, learningRate',
    );
  });

  test('a key that belongs elsewhere says where', () => {
    expect(complaint(`${GOOD}takesPerUser: 3\n`)).toBe(
      "x.yaml:5: takesPerUser: unknown key here; it belongs at 'data.takesPerUser'",
    );
  });

  test('several mistakes give one line each', () => {
    expect(complaint('name: a\nsed: 1\nfederation:\n  rounds: ten\n  expectedCohort: 10\n').split('\n').sort()).toEqual(
      [
        "x.yaml:2: sed: unknown key; did you mean 'seed'?",
        "x.yaml:4: federation.rounds: expected a whole number, got the text 'ten' (number of central steps T)",
      ],
    );
  });

  test('wrong types and values say what is expected', () => {
    expect(complaint(GOOD.replace('rounds: 3', 'rounds: 2.5'))).toMatch(
      /x\.yaml:3: federation\.rounds: expected a whole number, got 2\.5/,
    );
    expect(complaint(GOOD.replace('rounds: 3', 'rounds: 0'))).toMatch(/expected a number above 0, got 0/);
    expect(complaint('name: a\nfederation: 3\n')).toMatch(/x\.yaml:2: federation: expected a section .*got 3/);
    expect(complaint(`${GOOD}seed: [1]\n`)).toBe('x.yaml:5: seed: expected a number or a text, got a list');
    expect(complaint(`${GOOD}local:\n  maxGradientNorm: yes please\n`)).toBe(
      "x.yaml:6: local.maxGradientNorm: expected a number or null, got the text 'yes please'",
    );
    expect(complaint(`${GOOD}privacy:\n  clipping:\n    mode: layer\n`)).toBe(
      "x.yaml:7: privacy.clipping.mode: expected 'global', 'uniform' or 'dim', got the text 'layer'",
    );
    expect(complaint(`${GOOD}optimizer:\n  kind: lam\n`)).toBe(
      "x.yaml:6: optimizer.kind: expected 'lamb' or 'sgd', got the text 'lam'",
    );
  });

  test('a missing key points at its section', () => {
    expect(complaint('name: a\nfederation:\n  expectedCohort: 10\n')).toBe(
      'x.yaml:2: federation.rounds: this key is missing; it wants a whole number (number of central steps T)',
    );
    expect(complaint(`${GOOD}optimizer:\n  learningRate: 1\n`)).toBe(
      "x.yaml:5: optimizer.kind: this key is missing; it wants 'lamb' or 'sgd'",
    );
  });

  test('inside a list the line is that of the item', () => {
    expect(
      complaint(
        `${GOOD}privacy:\n  extrapolate:\n    - { population: 1, expectedCohort: 1 }\n    - { population: x, expectedCohort: 1 }\n`,
      ),
    ).toBe("x.yaml:8: privacy.extrapolate.1.population: expected a number, got the text 'x'");
  });

  test('a rule across keys (q > 1) keeps its own message and its line', () => {
    expect(complaint(GOOD.replace('expectedCohort: 10', 'expectedCohort: 5000'))).toBe(
      'x.yaml:4: federation.expectedCohort: sampling rate q is above 1',
    );
  });
});

describe('--set', () => {
  test('changes, adds and removes keys; values are YAML', () => {
    const config = loadConfig(schema, write(`${GOOD}seed: 5\n`), [
      'federation.rounds=7',
      'optimizer={kind: sgd, learningRate: 1.0e-2}',
      'privacy.clipping.mode=dim',
      'name="10"',
      'seed=',
    ]);
    expect(config).toEqual({
      name: '10',
      seed: 0,
      federation: { rounds: 7, expectedCohort: 10 },
      optimizer: { kind: 'sgd', learningRate: 0.01 },
      privacy: { clipping: { mode: 'dim' } },
    });
  });

  test('the last of two overrides of a key wins', () => {
    expect(loadConfig(schema, write(GOOD), ['federation.rounds=7', 'federation.rounds=8']).federation.rounds).toBe(8);
  });

  test('reaches into lists', () => {
    const text = `${GOOD}privacy:\n  extrapolate:\n    - { population: 1, expectedCohort: 1 }\n`;
    const config = loadConfig(schema, write(text), ['privacy.extrapolate.0.population=99']);
    expect(config.privacy?.extrapolate).toEqual([{ population: 99, expectedCohort: 1 }]);
  });

  test('mistakes are blamed on --set, not on the file', () => {
    expect(complaint(GOOD, ['federation.expectedCohrt=5'])).toBe(
      "--set federation.expectedCohrt: unknown key; did you mean 'expectedCohort'?",
    );
    expect(complaint(GOOD, ['optimizer={kind: sgd}'])).toBe(
      '--set optimizer: optimizer.learningRate: this key is missing; it wants a number',
    );
    expect(complaint(GOOD, ['federation.rounds=ten'])).toMatch(
      /^--set federation\.rounds: expected a whole number, got the text 'ten'/,
    );
  });

  test.each(['federation.rounds', '=3', 'federation..rounds=3', '.=1'])('%s is refused', (text) => {
    expect(complaint(GOOD, [text])).toMatch(/^--set .*: expected key=value/);
  });

  test('a value that is not YAML, a path through a single value', () => {
    expect(complaint(GOOD, ['name={a'])).toMatch(/^--set name=\{a: the value is not valid YAML/);
    expect(complaint(GOOD, ['name.first=x'])).toMatch(/'name' is a single value/);
  });

  test('__proto__ is a key like any other: unknown', () => {
    expect(complaint(GOOD, ['__proto__.polluted=1'])).toMatch(/unknown key/);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('paths', () => {
  test('in the file are relative to the file, from --set to the current directory', () => {
    const text = `${GOOD}model: { kind: onnx, path: m/model.onnx }\ndata: { kind: fsdd, path: recordings }\n`;
    const config = loadConfig(schema, write(text), ['data.path=elsewhere']);
    expect(config.model?.path).toBe(join(directory, 'm/model.onnx'));
    expect(config.data).toMatchObject({ path: resolve('elsewhere') });
  });

  test('absolute paths stay; a path of the wrong type is reported, not resolved', () => {
    const text = `${GOOD}model: { kind: onnx, path: /m/model.onnx }\n`;
    expect(loadConfig(schema, write(text)).model?.path).toBe('/m/model.onnx');
    expect(complaint(`${GOOD}model: { kind: onnx, path: 3 }\n`)).toBe('x.yaml:5: model.path: expected a text, got 3');
  });
});
