import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** From the ground up: a room imports from itself and from rooms before it. */
const ROOMS = ['proto', 'params', 'random', 'graph', 'privacy', 'models', 'data', 'client', 'server', 'report', 'cli'];
/** Pure numerics: they know nothing of ONNX, gRPC or files. */
const PURE = ['params', 'random', 'privacy'];

interface Import {
  readonly file: string;
  readonly room: string;
  /** Room of a relative import, or the name of a package. */
  readonly target: string;
}

function importsOf(room: string): Import[] {
  const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter((name) => /(?<!\.d)\.ts$/.test(name));
  return files
    .map((name) => join(room, name))
    .filter((file) => !file.startsWith(join('proto', 'generated')))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) => {
        if (!specifier!.startsWith('.')) return { file, room, target: specifier! };
        const path = relative('.', resolve(dirname(file), specifier!));
        return { file, room, target: path === 'errors.ts' ? 'errors' : path.split(/[\\/]/)[0]! };
      }),
    );
}

describe('rooms', () => {
  const imports = ROOMS.flatMap(importsOf);

  test('are found, with their imports', () => {
    for (const room of ROOMS) expect(imports.filter((each) => each.room === room).length).toBeGreaterThan(0);
  });

  test('import only downwards', () => {
    const upwards = imports.filter(({ room, target }) => ROOMS.indexOf(target) > ROOMS.indexOf(room));
    expect(upwards).toEqual([]);
  });

  test('of pure numerics import no ONNX, no gRPC and no files', () => {
    const foreign = imports.filter(
      ({ room, target }) =>
        PURE.includes(room) && /onnx|grpc|protobuf|^node:(fs|net|http)|^(graph|proto)$/.test(target),
    );
    expect(foreign).toEqual([]);
  });
});
