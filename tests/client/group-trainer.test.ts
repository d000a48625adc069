import { beforeAll, describe, expect, test } from '@jest/globals';
import { type LocalConfig, localConfig } from '../../client/config.ts';
import type { ClientWork } from '../../client/group-trainer.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileTraining } from '../../graph/compile.ts';
import { elementCount, float32Tensor, type Model } from '../../graph/ir.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildCnn } from '../../models/cnn.ts';
import { buildMlp } from '../../models/mlp.ts';
import { namedStream } from '../../random/stream.ts';
import { imageExamples } from '../support/image-examples.ts';
import { layerErrors } from '../support/pytorch-fixture.ts';

const imageShape = [1, 9, 9] as const;
const classes = 4;
const perceptron = buildMlp({ kind: 'mlp', imageShape, hidden: [70, 66], classes }, 1);
const bindingOf = (model: Model) => bindModel(model, 'classification', 'test');

/** Writes weights of a model. */
function weightsOf(b: GraphBuilder) {
  const stream = namedStream('group trainer test', 'weights');
  return (name: string, dims: readonly number[]) => {
    const data = Float32Array.from({ length: elementCount(dims) }, () => stream.uniform() - 0.5);
    return b.constant(float32Tensor(dims, data), name);
  };
}

/** A perceptron with dropout and other activations, as a user may bring it. */
function dropping(): Model {
  const b = new GraphBuilder();
  const weight = weightsOf(b);
  const image = b.op('Flatten', [b.input('image', 'float32', ['batch', ...imageShape])]);
  const hidden = b.op('Tanh', [b.op('Gemm', [image, weight('first', [81, 70]), weight('bias', [70])])]);
  const training = b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
  const dropped = b.op('Dropout', [hidden, b.scalar(0.4), training]);
  const logits = b.op('MatMul', [b.op('Sigmoid', [dropped]), weight('second', [70, classes])]);
  b.op('Identity', [logits], {}, { outputNames: ['logits'] });
  return { graph: b.build('dropping', ['logits']), opset: 21, weights: ['first', 'bias', 'second'] };
}

/** A perceptron with LayerNorm. */
function normalising(): Model {
  const b = new GraphBuilder();
  const weight = weightsOf(b);
  const image = b.op('Flatten', [b.input('image', 'float32', ['batch', ...imageShape])]);
  const hidden = b.op('Gemm', [image, weight('first', [81, 70])]);
  const [scale, shift] = [weight('scale', [70]), weight('shift', [70])];
  const active = b.op('Relu', [b.op('LayerNormalization', [hidden, scale, shift], {}, { outputs: 3 })]);
  b.op('MatMul', [active, weight('second', [70, classes])], {}, { outputNames: ['logits'] });
  return { graph: b.build('normalising', ['logits']), opset: 21, weights: ['first', 'scale', 'shift', 'second'] };
}

const examplesOf = (client: number, count: number) => imageExamples(`client ${client}`, count, imageShape, classes);
const draws = (client: number) => namedStream('group trainer test', 'batches', client);
const workOf = (client: number, count: number): ClientWork => ({
  examples: examplesOf(client, count),
  random: draws(client),
});

interface Trained {
  readonly delta: Float32Array;
  readonly loss: number;
}

interface Case {
  readonly title: string;
  readonly local: Partial<LocalConfig>;
  readonly model?: Model;
}

const settings: readonly Case[] = [
  { title: 'gradients clipped', local: { epochs: 1, batchSize: 4, maxGradientNorm: 0.5 } },
  { title: 'not clipped, three epochs', local: { epochs: 3, batchSize: 5, maxGradientNorm: null } },
  { title: 'batches of one', local: { steps: 3, batchSize: 1, maxGradientNorm: 0.5 } },
  { title: 'with dropout', local: { epochs: 2, batchSize: 3, maxGradientNorm: 0.5 }, model: dropping() },
  { title: 'with LayerNorm', local: { epochs: 2, batchSize: 3, maxGradientNorm: 0.5 }, model: normalising() },
];

describe.each(settings)(
  'clients of a small model, several in one run, $title',
  ({ local: given, model = perceptron }) => {
    const local = localConfig.parse({ learningRate: 0.3, ...given });
    const clipped = local.maxGradientNorm !== null;
    let single: LocalTrainer;
    let several: LocalTrainer;
    let parameters: Float32Array;

    beforeAll(async () => {
      const binding = bindingOf(model);
      single = await LocalTrainer.create(compileTraining(model, binding, { clipped }));
      several = await LocalTrainer.create(compileTraining(model, binding, { clipped, grouped: true }));
      parameters = parametersOf(model, single.layout);
    });

    /** All of them, in whatever groups they may be trained. */
    async function together(clients: readonly ClientWork[]): Promise<Trained[]> {
      const { groups, layout } = several;
      const results: Trained[] = [];
      const split = groups!.split(
        clients.map(({ examples }) => examples),
        local,
      );
      for (const members of split) {
        const trained = await groups!.train(
          parameters,
          members.map((index) => clients[index]!),
          local,
        );
        for (const [i, { delta, loss }] of trained.entries()) {
          const flat = layout.allocate();
          for (const [h, { offset, size }] of layout.layers.entries()) {
            flat.set(delta.values.subarray(delta.starts[h], delta.starts[h]! + size), offset);
          }
          expect(results[members[i]!]).toBeUndefined();
          results[members[i]!] = { delta: flat, loss };
        }
      }
      return results;
    }

    test('each comes to what it comes to by itself', async () => {
      const counts = [10, 7, 10, 3, 10, 7];
      const results = await together(counts.map((count, client) => workOf(client, count)));
      for (const [client, count] of counts.entries()) {
        const alone = await single.train(parameters, examplesOf(client, count), local, draws(client));
        const errors = layerErrors(results[client]!.delta, alone.delta, single.layout);
        expect(errors.filter(([, error]) => !(error < 1e-5))).toEqual([]);
        expect(results[client]!.loss).toBeCloseTo(alone.loss, 5);
      }
    });

    test('no bit depends on the company, in any place, or none', async () => {
      const { size } = several.groups!;
      expect(size).toBe(8);
      const full = await together(Array.from({ length: size }, (_, client) => workOf(client, 10)));
      for (const clients of [[3], [3, 6], [7, 6, 3], [5, 4, 3, 2, 1, 0, 7, 6, 12, 13, 14]]) {
        const some = await together(clients.map((client) => workOf(client, 10)));
        for (const [i, client] of clients.entries()) {
          if (client < size) expect(some[i]).toEqual(full[client]);
        }
      }
    });

    test('one that diverges takes nobody along', async () => {
      const wild = workOf(1, 10);
      wild.examples.fields.image!.data.fill(Number.POSITIVE_INFINITY);
      const [first, broken, third] = await together([workOf(0, 10), wild, workOf(2, 10)]);
      expect(broken!.delta.every(Number.isFinite)).toBe(false);
      expect([first, third]).toEqual(await together([workOf(0, 10), workOf(2, 10)]));
    });
  },
);

test('a client of more visits than a run takes is trained alone, in several', async () => {
  const several = await LocalTrainer.create(compileTraining(perceptron, bindingOf(perceptron), { grouped: true }));
  const parameters = parametersOf(perceptron, several.layout);
  const local = localConfig.parse({ steps: 40, batchSize: 8, learningRate: 0.05 });
  const clients = [workOf(0, 20), workOf(1, 20)];
  const examples = clients.map((client) => client.examples);
  expect(several.groups!.split(examples, local)).toEqual([[0], [1]]);
  for (const [client, work] of clients.entries()) {
    const [result] = await several.groups!.train(parameters, [work], local);
    const delta = result!.delta.values.slice(0, several.layout.size);
    expect(result!.delta.starts).toEqual(several.layout.layers.map(({ offset }) => offset));
    const alone = await several.train(parameters, examples[client]!, local, draws(client));
    expect(delta).toEqual(alone.delta);
  }
});

test('models that gain nothing by it, or have operators without a rule, train one client at a time', async () => {
  const wide = buildMlp({ kind: 'mlp', imageShape: [3, 32, 32], hidden: [512], classes }, 1);
  const cnn = buildCnn({ kind: 'cnn', imageShape: [1, 12, 12], channels: [4], hidden: 16, classes }, 1);
  for (const each of [wide, cnn]) {
    const artifact = compileTraining(each, bindingOf(each), { grouped: true });
    expect((await LocalTrainer.create(artifact)).groups).toBeUndefined();
  }
  const large = compileTraining(perceptron, bindingOf(perceptron), { grouped: true, batchSize: 100 });
  expect((await LocalTrainer.create(large)).groups).toBeUndefined();
});
