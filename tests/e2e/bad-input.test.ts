import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { float32Tensor } from '../../graph/ir.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { wavBytes } from '../data/wav-bytes.ts';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { writeImages } from './support/image-files.ts';
import { listening } from './support/listening.ts';
import { cleanUp, outcomeOf, tinyDirectory, writeConfig } from './support/tiny-run.ts';

const PATIENCE = 60_000;
const FILE_IN_THE_WAY = 'in-the-way';

/** Two speakers, digit 7, takes 0 to 3; a user is a take, takes 0 and 1 are held out. */
function writeRecordings(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const wave = Array.from({ length: 6000 }, (_, i) => Math.round(8000 * Math.sin(i / 9)));
  for (const speaker of ['al', 'bea'])
    for (let take = 0; take < 4; take++) writeFileSync(join(folder, `7_${speaker}_${take}.wav`), wavBytes(wave));
}

/** A model of one operator that nobody differentiates. */
function unsupportedModel(): Uint8Array {
  const node = { name: 'det', op: 'Det', domain: '', inputs: ['w'], outputs: ['logits'], attributes: {} };
  const graph = {
    name: 'unsupported',
    inputs: [{ name: 'features', dtype: 'float32' as const, shape: ['batch', 'frames', 16] }],
    outputs: [{ name: 'logits', dtype: 'float32' as const, shape: ['batch', 'frames', 17] }],
    nodes: [node],
    constants: new Map([['w', float32Tensor([2, 2], [1, 2, 3, 4])]]),
  };
  return encodeModel({ graph, opset: 21, weights: ['w'] });
}

describeBuilt('bad input: exit code 2, one line on stderr, and nothing left behind', () => {
  let directory: string;

  beforeAll(() => {
    directory = tinyDirectory();
    const speech = {
      seedModel: undefined,
      data: { kind: 'fsdd', path: 'recordings', takesPerUser: 1, heldOutTakes: 2 },
    };
    const small = { rounds: 1, expectedCohort: 2, shardSize: 1 };
    writeRecordings(join(directory, 'recordings'));
    writeConfig(join(directory, 'speech.yaml'), { ...speech, name: 'speech', federation: small });
    writeRecordings(join(directory, 'torn'));
    const victim = join(directory, 'torn', '7_bea_2.wav');
    writeFileSync(victim, readFileSync(victim).subarray(0, 5000));
    writeImages(join(directory, 'images'), 30, 5);
    writeFileSync(join(directory, 'unsupported.onnx'), unsupportedModel());
    writeFileSync(join(directory, 'text.onnx'), 'this is no model');
    writeFileSync(join(directory, 'torn.yaml'), 'name: torn\nmodel: { kind: cnn\ndata: x\n');
    writeFileSync(join(directory, 'twice.yaml'), 'name: a\nseed: 1\nname: b\n');
    writeFileSync(join(directory, FILE_IN_THE_WAY), '');
    mkdirSync(join(directory, 'empty'));
  });
  afterAll(cleanUp);

  /** What is in the directory, run directories and half-written files included. */
  const content = () => readdirSync(directory, { recursive: true }).map(String).sort();

  const set = (...changes: string[]) => changes.flatMap((change) => ['--set', change]);
  const tiny = (...changes: string[]) => ['run', 'tiny.yaml', ...set(...changes)];
  const speech = (...changes: string[]) => ['run', 'speech.yaml', ...set(...changes)];

  test.each<[string, string[], RegExp]>([
    ['no such configuration', ['run', 'nowhere.yaml'], /^dpfl: nowhere\.yaml: no such file; give the path/],
    ['a YAML mistake', ['run', 'torn.yaml'], /^dpfl: torn\.yaml:\d+: not valid YAML: /],
    ['a key twice', ['run', 'twice.yaml'], /^dpfl: twice\.yaml:3: 'name' is written twice/],
    ['an unknown key', tiny('federation.round=3'), /--set federation\.round: unknown key; did you mean 'rounds'\?/],
    ['a wrong type', tiny('federation.rounds=many'), /--set federation\.rounds: expected a whole number, got .*'many'/],
    [
      'two mistakes at once, of which each has its line',
      tiny('seed=1.5', 'local.batchSize=0'),
      /--set seed: .*\n.*--set/,
    ],
    [
      'q > 1',
      tiny('federation.expectedCohort=1001'),
      /--set federation\.expectedCohort: .*1001 exceeds the population of 1000 .*lower it/,
    ],
    [
      'q > 1 that only the data tell',
      speech('federation.expectedCohort=5'),
      /^dpfl: speech\.yaml: .*5 exceeds the population 4 .*lower federation\.expectedCohort/,
    ],
    [
      "K smaller than the data's users",
      speech('data.population=3'),
      /^dpfl: speech\.yaml: data\.population: 3 is fewer than the 4 users .*leave data\.population out/,
    ],
    ['no data', speech('data.path=nowhere'), /nowhere: cannot be listed; data\.path must be/],
    ['a folder without recordings', speech('data.path=empty'), /empty: holds no WAV files; data\.path must be/],
    ['a truncated WAV file', speech('data.path=torn'), /7_bea_2\.wav: .*truncated.*replace the file/],
    ['no model file', tiny('model={kind: onnx, path: no.onnx}'), /no\.onnx: cannot be read .*check the path/],
    ['not an ONNX file', tiny('model={kind: onnx, path: text.onnx}'), /text\.onnx: is not an ONNX file/],
    ['an operator that is not supported', tiny('model={kind: onnx, path: unsupported.onnx}'), /unsupported\.onnx.*Det/],
    [
      'a model for another task',
      tiny('model={kind: cnn}'),
      /^dpfl: tiny\.yaml: model\.kind: 'cnn' classifies images.*use 'transformer-ctc'/,
    ],
    [
      'a seed model without public data',
      speech('seedModel={steps: 1}'),
      /^dpfl: speech\.yaml: seedModel: .*no public examples; remove this section/,
    ],
    [
      'noise that cannot be accounted',
      tiny('privacy.noise.multiplier=1e-300'),
      /^dpfl: tiny\.yaml: .*noise multiplier/,
    ],
    [
      'a budget that no round fits into',
      tiny('privacy.budget={epsilon: 1e-3, delta: 1e-6}'),
      /^dpfl: tiny\.yaml: privacy\.budget: the first round alone costs more than epsilon 0\.001/,
    ],
    ['a file where the runs should go', [...tiny(), '--output', FILE_IN_THE_WAY], /in-the-way: .*choose another/],
    ['no run to resume', ['run', '--resume', 'nowhere'], /--resume nowhere: no run here/],
    [
      'a malformed address',
      ['server', 'tiny.yaml', '--listen', 'localhost'],
      /listen 'localhost': give it as host:port/,
    ],
    ['a malformed server address', ['worker', '--server', 'localhost'], /--server 'localhost': give it as host:port/],
  ])(
    '%s',
    async (_, args, message) => {
      const before = content();
      const { status, stdout, stderr } = await dpfl(args, { cwd: directory });
      expect(stderr).toMatch(message);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/^(dpfl: .+\n){1,2}$/);
      expect(stderr.split('\n')).toHaveLength(message.source.includes('\\n') ? 3 : 2);
      expect(content()).toEqual(before);
    },
    PATIENCE,
  );

  test(
    'a port that is in use',
    async () => {
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
      const { port } = holder.address() as AddressInfo;
      try {
        const before = content();
        const ended = await dpfl(['server', 'tiny.yaml', '--listen', `127.0.0.1:${port}`], { cwd: directory });
        expect(ended).toEqual({
          status: 2,
          stdout: '',
          stderr: expect.stringMatching(/^dpfl: listen '127\.0\.0\.1:\d+': the port is in use; stop .*\n$/),
        });
        expect(content()).toEqual(before);
      } finally {
        holder.close();
      }
    },
    PATIENCE,
  );

  test(
    "a user's model that takes other data",
    async () => {
      await dpfl(['run', 'tiny.yaml', '--output', 'good', ...set('federation.rounds=1')], { cwd: directory });
      expect(existsSync(join(directory, 'good/tiny-001/model.onnx'))).toBe(true);
      const before = content();
      const own = tiny('model={kind: onnx, path: good/tiny-001/model.onnx}', 'data.features.filters=12');
      const { status, stderr } = await dpfl(own, { cwd: directory });
      expect(stderr).toMatch(
        /^dpfl: .*model\.onnx: input 'features' takes \[.*16\], but the data's examples are .*12\].*\n$/,
      );
      expect(status).toBe(2);
      expect(content()).toEqual(before);
    },
    PATIENCE,
  );

  test(
    'a worker that lacks the data says so and ends; the run goes on with another',
    async () => {
      const { server, worker } = await listening(['speech.yaml', '--output', 'spared'], directory);
      const lost = worker('lost', '--data-path', 'nowhere');
      const { status, stderr } = await lost.ended;
      expect(status).toBe(2);
      expect(stderr).toMatch(/^connected to .*\ndpfl: nowhere: cannot be listed; data\.path must be .*\n$/);
      await server.line(/worker 'lost' failed: nowhere: cannot be listed/);
      const good = worker('good');
      expect(await server.ended).toMatchObject({ status: 0 });
      expect(await good.ended).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, 'spared', 'speech-001')).rounds).toHaveLength(2);
    },
    PATIENCE,
  );
});
