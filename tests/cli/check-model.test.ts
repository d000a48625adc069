import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { checkModelFile, checkText } from '../../cli/check-model.ts';
import { compileModelFile } from '../../cli/compile-model.ts';
import { inspectionText, inspectModelFile } from '../../cli/inspect-model.ts';
import { float32Tensor, type Model } from '../../graph/ir.ts';
import { decodeModel, readModelFile } from '../../graph/onnx/read.ts';
import { encodeModel } from '../../graph/onnx/write.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/models/${name}`, import.meta.url));
const assumed = { batch: 10, length: 100 };

test('an exported model is trainable, with memory and compute', async () => {
  const check = await checkModelFile(fixture('vision-transformer.opset17.folded.onnx'), assumed);
  expect({ trainable: check.trainable, layers: check.layers.length }).toEqual({ trainable: true, layers: 32 });
  expect(check.estimate!.trainingFlop).toBeGreaterThan(2 * check.estimate!.forwardFlop);
  expect(checkText(check)).toMatch(/onnx: trainable\nlayers {6}32, [\d,]+ parameters\noperators .*\nmemory .*[KM]iB/);
});

test('a model that cannot be trained: every node in the way, in one line', async () => {
  const node = (op: string, from: string, to: string) => ({
    name: `my ${op}`,
    op,
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: {},
  });
  const graph = {
    name: 'g',
    inputs: [{ name: 'x', dtype: 'float32' as const, shape: ['n', 2] }],
    outputs: [{ name: 'y', dtype: 'float32' as const, shape: ['n', 2] }],
    nodes: [
      { ...node('MatMul', 'x', 'm'), inputs: ['x', 'w'] },
      node('Hardmax', 'm', 'h'),
      node('NonMaxSuppression', 'h', 'y'),
    ],
    constants: new Map([['w', float32Tensor([2, 2], [1, 2, 3, 4])]]),
  };
  const model: Model = { graph, opset: 17, weights: ['w'] };
  const folder = mkdtempSync(join(tmpdir(), 'dpfl-check-'));
  try {
    const file = join(folder, 'model.onnx');
    writeFileSync(file, encodeModel(model));
    const check = await checkModelFile(file, assumed);
    expect(check).toMatchObject({ trainable: false, estimate: null });
    expect(check.reason).toMatch(
      /^[^\n]*Hardmax \('my Hardmax'\)[^\n]*NonMaxSuppression \('my NonMaxSuppression'\)[^\n]*$/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ['resnet18-group-norm.opset13.onnx', 'data/image'],
  ['wav2letter.opset13.onnx', 'data/features'],
])('%s compiles into a training step whose nodes say what they are the gradient of', async (name, field) => {
  const { graph } = decodeModel(await compileModelFile(fixture(name)), 'step.onnx');
  expect(graph.inputs.map((input) => input.name)).toContain(field);
  const body = graph.nodes.find(({ op }) => op === 'Loop')!.attributes.body;
  const names = body?.kind === 'graph' ? body.value.nodes.map((node) => node.name) : [];
  const forward = readModelFile(fixture(name));
  const subjects = [...forward.graph.nodes.map((node) => node.name), ...forward.weights.map((w) => `weights/${w}`)];
  const backward = names.filter((each) => each.startsWith('grad/'));
  expect(backward.length).toBeGreaterThan(10);
  // Gradients of a node's inputs, or the sum of a value's gradients; parts of a node that was taken apart have its name, too.
  const saysOfWhat = (name: string) =>
    subjects.some((subject) =>
      ['', 'sum/', 'forward/', 'sum/forward/'].some((how) => name.startsWith(`grad/${how}${subject}`)),
    );
  expect(backward.filter((name) => !saysOfWhat(name))).toEqual([]);
  const steps = forward.weights.map((layer) => `update/${layer}/`);
  for (const step of steps) expect(names.filter((each) => each.startsWith(step)).length).toBeGreaterThan(0);
  // No node is called after its operator alone.
  expect(names.filter((each) => /^[A-Z][A-Za-z]*(_\d+)?$/.test(each))).toEqual([]);
});

describe('what a check says besides', () => {
  /** logits = (x + table) · w, of sequences no longer than the table. */
  function withTable(
    batch: number | string,
    dtype: 'float32' | 'int64' = 'float32',
    time: number | string = 'time',
  ): Model {
    const node = (op: string, inputs: string[], output: string) => ({
      name: op,
      op,
      domain: '',
      inputs,
      outputs: [output],
      attributes: {},
    });
    const tokens = dtype === 'int64';
    const graph = {
      name: 'g',
      inputs: [{ name: 'x', dtype, shape: tokens ? [batch, time] : [batch, time, 2] }],
      outputs: [{ name: 'logits', dtype: 'float32' as const, shape: [batch, time, 2] }],
      nodes: [
        ...(tokens ? [node('Gather', ['emb', 'x'], 'e')] : [node('Identity', ['x'], 'e')]),
        node('Add', ['e', 'table'], 's'),
        node('MatMul', ['s', 'w'], 'logits'),
      ],
      constants: new Map([
        ['w', float32Tensor([2, 2], [1, 2, 3, 4])],
        ['table', float32Tensor([1, 20, 2], new Float32Array(40).fill(0.5))],
        ...(tokens ? [['emb', float32Tensor([3, 2], [1, 2, 3, 4, 5, 6])] as const] : []),
      ]),
    };
    return { graph, opset: 17, weights: ['w', 'table', ...(tokens ? ['emb'] : [])] };
  }

  async function checked(model: Model, length = 100) {
    const folder = mkdtempSync(join(tmpdir(), 'dpfl-check-'));
    try {
      const file = join(folder, 'model.onnx');
      writeFileSync(file, encodeModel(model));
      return await checkModelFile(file, { batch: 10, length });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  test('a fixed batch size is opened, and a note says so', async () => {
    const check = await checked(withTable(1, 'float32', 20));
    expect({ trainable: check.trainable, shape: check.inputs[0]!.shape }).toEqual({
      trainable: true,
      shape: ['batch', 20, 2],
    });
    expect(check.notes.join()).toMatch(/^the file fixes a batch size of 1; dpfl opened it, and 3 random examples/);
  });

  test('one that cannot be opened cannot be trained, with the mend', async () => {
    const { graph, ...rest } = withTable(3, 'float32', 20);
    // A table with a part of its own for each of three examples.
    const constants = new Map(graph.constants);
    constants.set(
      'table',
      float32Tensor(
        [3, 20, 2],
        Float32Array.from({ length: 120 }, (_, i) => i),
      ),
    );
    const check = await checked({ ...rest, graph: { ...graph, constants } });
    expect(check.trainable).toBe(false);
    expect(check.reason).toMatch(
      /^input 'x' has a fixed batch size of 3.*found no way to open it.*dynamic_axes=\{'x': \{0: 'batch'\}\}$/,
    );
  });

  test('sizes that do not suit the model are no obstacle: --length says what suits', async () => {
    const check = await checked(withTable('batch'));
    expect({ trainable: check.trainable, estimate: check.estimate }).toEqual({ trainable: true, estimate: null });
    expect(check.notes.join()).toMatch(/no estimate: sizes of 100 .*--length/);
    expect(checkText(check)).toMatch(/: trainable\n(.*\n)*note +no estimate/);
    expect((await checked(withTable('batch'), 20)).estimate).not.toBeNull();
  });

  test('a model of tokens is trained on arrays of your own', async () => {
    expect(checkText(await checked(withTable('batch', 'int64'), 20))).toMatch(/own data .*data\.kind: npy.*'x'.*loss/);
    expect((await checked(withTable('batch'), 20)).ownData).toBeNull();
  });

  test('inspect lists what is trained, and says what is not', async () => {
    const model = withTable('batch');
    const rename = (name: string) => ({ w: 'fc.weight', table: 'val_7' })[name] ?? name;
    const { nodes, constants } = model.graph;
    const graph = {
      ...model.graph,
      nodes: nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename) })),
      constants: new Map([...constants].map(([name, tensor]) => [rename(name), tensor])),
    };
    const folder = mkdtempSync(join(tmpdir(), 'dpfl-check-'));
    try {
      const file = join(folder, 'model.onnx');
      writeFileSync(file, encodeModel({ ...model, graph, weights: model.weights.map(rename) }));
      const inspection = await inspectModelFile(file);
      expect(inspection.layers.map(({ name }) => name)).toEqual(['fc.weight']);
      expect(inspectionText(inspection)).toMatch(/\nnote +'val_7' is not trained/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
