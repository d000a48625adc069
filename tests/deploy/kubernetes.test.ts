import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { Job } from 'kubernetes-models/batch/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Namespace, Service } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';
import { writeCertificates } from '../../cli/write-certificates.ts';
import { flagValue, objections } from './command-lines.ts';

interface Validated {
  validate(): void;
}
const KINDS: Readonly<Record<string, (object: never) => Validated>> = {
  StatefulSet: (object) => new StatefulSet(object),
  Job: (object) => new Job(object),
  NetworkPolicy: (object) => new NetworkPolicy(object),
  PodDisruptionBudget: (object) => new PodDisruptionBudget(object),
  Namespace: (object) => new Namespace(object),
  Service: (object) => new Service(object),
};

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe?: { readonly grpc: { readonly port: number } };
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean };
}
interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly serviceName: string;
    readonly selector: unknown;
    readonly template: { readonly metadata: { readonly labels: unknown }; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string }[];
}

const FOLDER = 'deploy/kubernetes';
const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'));
const resources = files
  .filter((name) => !name.endsWith('kustomization.yaml'))
  .flatMap((name) =>
    parseAllDocuments(readFileSync(join(FOLDER, name), 'utf8')).map((each) => each.toJS() as Resource),
  );
const only = (kind: string) => resources.find((each) => each.kind === kind) as Resource;
const server = only('StatefulSet').spec;
const worker = only('Job').spec;

describe('deploy/kubernetes', () => {
  test.each(resources.map((each) => [`${each.kind} ${each.metadata.name}`, each] as const))(
    '%s fits its schema',
    (_, each) => {
      expect(() => KINDS[each.kind](each as never).validate()).not.toThrow();
      expect(() => KINDS[each.kind]({ ...each, metadata: { name: 1 } } as never).validate()).toThrow();
    },
  );

  test('calls dpfl with commands and flags it has', () => {
    expect(objections(['server', ...server.template.spec.containers[0].args])).toEqual([]);
    expect(objections(worker.template.spec.containers[0].args)).toEqual([]);
  });

  test('has server and workers meet: name, ports, probes', () => {
    const [container] = server.template.spec.containers;
    const [host, port] = flagValue(worker.template.spec.containers[0].args, '--server').split(':');
    const service = only('Service');
    expect([host, server.serviceName]).toEqual([service.metadata.name, service.metadata.name]);
    expect(service.spec.selector).toEqual(server.template.metadata.labels);
    expect(flagValue(container.args, '--listen')).toBe(`0.0.0.0:${port}`);
    expect(flagValue(container.args, '--health')).toBe(`0.0.0.0:${container.startupProbe?.grpc.port}`);
    const ports = container.ports.map(({ containerPort }) => containerPort);
    for (const flag of ['--listen', '--health', '--metrics']) {
      expect(ports).toContain(Number(flagValue(container.args, flag).split(':')[1]));
    }
  });

  test.each([
    ['server', server],
    ['worker', worker],
  ] as const)('%s mounts what it has, and its paths lie in it', (_, { template, volumeClaimTemplates }) => {
    const [container] = template.spec.containers;
    const volumes = [
      ...template.spec.volumes.map(({ name }) => name),
      ...(volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
    ];
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.sort());
    const paths = container.volumeMounts.map(({ mountPath }) => mountPath);
    for (const flag of ['--tls', '--token-file']) {
      expect(paths.some((path) => flagValue(container.args, flag).startsWith(path))).toBe(true);
    }
    expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
  });
});

const kubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;
const scratch = mkdtempSync(join(tmpdir(), 'dpfl-kustomize-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the example overlay', () => {
  const overlay = join(scratch, 'kubernetes/overlays/example');

  test('names every file it generates from', () => {
    const made = parse(readFileSync(join(FOLDER, 'overlays/example/kustomization.yaml'), 'utf8')) as {
      readonly secretGenerator: readonly { readonly name: string; readonly files: readonly string[] }[];
      readonly configMapGenerator: readonly { readonly name: string }[];
    };
    const names = [...made.secretGenerator, ...made.configMapGenerator].map(({ name }) => name).sort();
    const asked = JSON.stringify(resources).matchAll(/"secretName":"([^"]+)"|"configMap":\{"name":"([^"]+)"/g);
    expect([...new Set([...asked].map(([, secret, config]) => secret ?? config))].sort()).toEqual(names);
  });

  (kubectl ? test : test.skip)('is built by kustomize (skipped where there is no kubectl)', async () => {
    cpSync(FOLDER, join(scratch, 'kubernetes'), { recursive: true });
    await writeCertificates({ out: join(overlay, 'certs'), host: ['dpfl-server'], days: 1 });
    writeFileSync(join(overlay, 'token'), 'a-known-token-0123456789');
    cpSync('configs/quickstart.yaml', join(overlay, 'run.yaml'));
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', overlay], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const built = parseAllDocuments(stdout).map((each) => each.toJS() as Resource);
    for (const each of built) KINDS[each.kind]?.(each as never).validate();
    const job = built.find(({ kind }) => kind === 'Job');
    expect(job?.spec).toMatchObject({ completions: 16, parallelism: 16 });
    expect(JSON.stringify(job)).toMatch(/"secretName":"dpfl-worker-tls-\w+"/);
  });
});
