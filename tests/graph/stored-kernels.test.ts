import { expect, test } from '@jest/globals';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { modelProto } from '../../graph/onnx/schema.ts';
import { buildCnn } from '../../models/cnn.ts';

interface Graph {
  readonly input: readonly { name: string }[];
  readonly node: readonly { opType: string; name: string; attribute: { name: string; g?: Graph }[] }[];
}

test('a wide kernel goes through the loop as its gradient comes, position first, and nothing turns the gradient', () => {
  const model = buildCnn({ kind: 'cnn', channels: [16, 20], hidden: 8, imageShape: [3, 10, 10], classes: 4 }, 1);
  const { onnx } = compileTraining(model, bindModel(model, 'classification', 'test'));
  const { graph } = modelProto.decode(onnx) as unknown as { graph: Graph };
  const body = graph.node.find(({ opType }) => opType === 'Loop')!.attribute.find(({ name }) => name === 'body')!.g!;
  const states = body.input.map(({ name }) => name);
  expect(states).toContain('kernels/conv2.weight');
  expect(states).not.toContain('weights/conv2.weight');
  // Three channels: its gradient comes as the kernel is.
  expect(states).toContain('weights/conv1.weight');
  expect(body.node.filter(({ name, opType }) => opType === 'Transpose' && name.includes('conv2.weight'))).toHaveLength(
    1,
  );
});
