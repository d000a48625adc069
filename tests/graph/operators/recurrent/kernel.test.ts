import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../../graph/builder.ts';
import { differentiate } from '../../../../graph/differentiate.ts';
import { estimateStep } from '../../../../graph/estimate.ts';
import { findProblems, writeForward } from '../../../../graph/import.ts';
import { type Attributes, float32Tensor, int, type Model, type Node, text } from '../../../../graph/ir.ts';
import { operatorOf } from '../../../../graph/operators/registry.ts';

const layer = (op: string, inputs: string[], attributes: Attributes): Node => ({
  name: 'mine',
  op,
  domain: '',
  inputs,
  outputs: ['y', 'last'],
  attributes: { hidden_size: int(2), ...attributes },
});

const table = (dims: number[]) => float32Tensor(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5));

/** A layer that reads x [batch, frames, 3] or, with layout 0, [frames, batch, 3]. */
function modelOf(node: Node, shape: string[] = ['frames', 'batch']): Model {
  const graph = {
    name: 'recurrent',
    inputs: [{ name: 'x', dtype: 'float32' as const, shape: [...shape, 3] }],
    outputs: [{ name: 'y', dtype: 'float32' as const, shape: [] }],
    nodes: [node],
    constants: new Map([
      ['w', table([1, 8, 3])],
      ['r', table([1, 8, 2])],
    ]),
  };
  return { graph, opset: 17, weights: ['w', 'r'] };
}

describe('recurrent layers whose gradient would be wrong are refused', () => {
  const strings = (value: string[]): Attributes => ({ activations: { kind: 'strings', value } });
  test.each<[string, Node, RegExp]>([
    ['peepholes', layer('LSTM', ['x', 'w', 'r', '', '', '', '', 'p'], {}), /peephole/],
    ['clipped gates', layer('GRU', ['x', 'w', 'r'], { clip: { kind: 'float', value: 3 } }), /'clip'/],
    ['coupled gates', layer('LSTM', ['x', 'w', 'r'], { input_forget: int(1) }), /input_forget/],
    ['other activations', layer('GRU', ['x', 'w', 'r'], strings(['HardSigmoid', 'Tanh'])), /HardSigmoid, Tanh/],
    ['a relu in one direction', layer('RNN', ['x', 'w', 'r'], strings(['Relu', 'Tanh'])), /Relu, Tanh/],
  ])('%s', (_, node, message) => {
    expect(findProblems(modelOf(node).graph)).toEqual([{ node, problem: expect.stringMatching(message) }]);
  });

  test('the usual activations, spelled out for both directions, are no problem', () => {
    const spelled = strings(['Sigmoid', 'Tanh', 'Tanh', 'Sigmoid', 'Tanh', 'Tanh']);
    expect(operatorOf('LSTM')!.problem!(layer('LSTM', ['x', 'w', 'r'], spelled))).toBeUndefined();
  });
});

test('a layer with the batch in front (layout 1) is written as one with the steps in front', () => {
  const b = new GraphBuilder();
  const names = new Map([['x', b.input('x', 'float32', ['batch', 'frames', 3])]]);
  const weights = ['w', 'r'].map((name) => b.input(name, 'float32', [1, 8, name === 'w' ? 3 : 2]));
  for (const weight of weights) names.set(weight, weight);
  const nodes = writeForward(
    b,
    modelOf(layer('LSTM', ['x', 'w', 'r'], { layout: int(1) }), ['batch', 'frames']),
    names,
  );
  const [y, last] = [names.get('y')!, names.get('last')!];
  expect([b.shape(y), b.shape(last)]).toEqual([
    ['batch', 'frames', 1, 2],
    ['batch', 1, 2],
  ]);
  expect(nodes.map(({ op }) => op)).toEqual(['Transpose', 'LSTM', 'Transpose', 'Transpose']);
  const seed = b.input('seed', 'float32', b.shape(y));
  const gradients = differentiate(b, nodes, new Map([[y, seed]]), new Set(['x', ...weights]));
  expect([...gradients.values()].map((gradient) => b.shape(gradient))).toEqual([
    ['batch', 'frames', 3],
    [1, 8, 3],
    [1, 8, 2],
  ]);
});

test('an estimate counts the products of all steps, forward and back through time', () => {
  const model = modelOf(layer('LSTM', ['x', 'w', 'r'], { direction: text('forward') }), ['batch', 'frames']);
  const { forwardFlop, trainingFlop } = estimateStep(model, { batch: 5, length: 7 });
  // The first axis is taken for the batch: of 5 "examples", each with 7 rows.
  expect(forwardFlop).toBe(2 * 7 * 8 * (3 + 2));
  // The gates again, the gradients of both weights, and of the state before each step; none of the input.
  expect(trainingFlop).toBe(2 * 7 * 8 * (2 * (3 + 2) + (3 + 2) + 2));
});
