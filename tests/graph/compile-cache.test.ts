import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bindModel } from '../../graph/binding.ts';
import { compileForward, compileTraining } from '../../graph/compile.ts';
import { type Compile, CompileCache, cacheDirectory } from '../../graph/compile-cache.ts';
import { float32Tensor, type Model } from '../../graph/ir.ts';
import { buildCnn } from '../../models/cnn.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dpfl-cache-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const cnn = (hidden = 8, seed = 1) =>
  buildCnn({ kind: 'cnn', channels: [4], hidden, imageShape: [3, 8, 8], classes: 5 }, seed);

/** Compiles through the cache, and says whether the compiler was asked. */
function through(cache: CompileCache, model: Model, kind: 'training' | 'forward' = 'training', options?: object) {
  let compiled = false;
  const compile: Compile = (...given) => {
    compiled = true;
    return (kind === 'training' ? compileTraining : compileForward)(...given);
  };
  const artifact = cache.artifact(kind, model, bindModel(model, 'classification', 'test'), compile, options);
  return { artifact, compiled };
}

const only = () => join(directory, readdirSync(directory)[0]!);

describe('the cache of compiled graphs', () => {
  test('gives the same bytes and layers without compiling again', () => {
    const first = through(new CompileCache(directory), cnn());
    const second = through(new CompileCache(directory), cnn());
    expect([first.compiled, second.compiled]).toEqual([true, false]);
    expect(Buffer.from(second.artifact.onnx).equals(Buffer.from(first.artifact.onnx))).toBe(true);
    expect(second.artifact.layers).toEqual(first.artifact.layers);
  });

  test('knows the same model with other trained weights, and no other model, kind or frozen weight', () => {
    const cache = new CompileCache(directory);
    through(cache, cnn());
    expect(through(cache, cnn(8, 2)).compiled).toBe(false);
    expect(through(cache, cnn(9)).compiled).toBe(true);
    expect(through(cache, cnn(), 'forward').compiled).toBe(true);
    expect(through(cache, cnn(), 'training', { clipped: false }).compiled).toBe(true);
    const frozen = (value: number): Model => {
      const model = cnn();
      const constants = new Map(model.graph.constants).set('conv1.bias', float32Tensor([4], [value, 0, 0, 0]));
      return {
        ...model,
        graph: { ...model.graph, constants },
        weights: model.weights.filter((name) => name !== 'conv1.bias'),
      };
    };
    expect(through(cache, frozen(1)).compiled).toBe(true);
    expect(through(cache, frozen(1)).compiled).toBe(false);
    expect(through(cache, frozen(2)).compiled).toBe(true);
  });

  test.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 7)],
    ['empty', () => Buffer.alloc(0)],
    [
      'changed in one bit',
      (bytes: Buffer) => {
        const changed = Buffer.from(bytes);
        changed[changed.length >> 1]! ^= 1;
        return changed;
      },
    ],
  ])('compiles again, and mends the file, when it is %s', (_, damage) => {
    const cache = new CompileCache(directory);
    const { artifact } = through(cache, cnn());
    writeFileSync(only(), damage(readFileSync(only())));
    const again = through(cache, cnn());
    expect(again.compiled).toBe(true);
    expect(Buffer.from(again.artifact.onnx).equals(Buffer.from(artifact.onnx))).toBe(true);
    expect(through(cache, cnn()).compiled).toBe(false);
  });

  test('does without where nothing can be written', () => {
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    const cache = new CompileCache(join(file, 'cache'));
    expect(through(cache, cnn()).artifact.onnx.length).toBeGreaterThan(0);
    expect(through(cache, cnn()).compiled).toBe(true);
    expect(through(new CompileCache(undefined), cnn()).compiled).toBe(true);
  });

  test('forgets what was not used for longest, and what dead writers left', () => {
    const old = (name: string, days: number) => {
      const time = new Date(Date.now() - 86_400_000 * days);
      writeFileSync(join(directory, name), 'x');
      utimesSync(join(directory, name), time, time);
    };
    for (let i = 1; i <= 70; i++) old(`${i}.step`, i);
    old('dead.step.1.tmp', 1);
    old('alive.step.2.tmp', 0);
    writeFileSync(join(directory, 'notes.txt'), 'not ours');
    through(new CompileCache(directory), cnn());
    const names = readdirSync(directory);
    expect(names.filter((name) => name.endsWith('.step'))).toHaveLength(64);
    expect(names).toContain('63.step');
    expect(names).not.toContain('64.step');
    expect(names.filter((name) => !name.endsWith('.step')).sort()).toEqual(['alive.step.2.tmp', 'notes.txt']);
  });
});

test('lies where the system keeps caches, or where $DPFL_CACHE says', () => {
  expect(cacheDirectory({ DPFL_CACHE: 'off', XDG_CACHE_HOME: '/c' }, 'linux')).toBeUndefined();
  expect(cacheDirectory({ DPFL_CACHE: '/mine', XDG_CACHE_HOME: '/c' }, 'linux')).toBe('/mine');
  expect(cacheDirectory({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe(join('/c', 'dpfl'));
  expect(cacheDirectory({}, 'linux')).toMatch(/\.cache.dpfl$/);
  expect(cacheDirectory({}, 'darwin')).toMatch(/Caches.dpfl$/);
  expect(cacheDirectory({ LOCALAPPDATA: '/l' }, 'win32')).toBe(join('/l', 'dpfl', 'cache'));
});
