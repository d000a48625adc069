import { floatAttribute, type Node } from '../ir.ts';
import { type Rewrite, replacing } from './rewrite.ts';

/** Never decreasing, whatever their attributes say or as far as the attributes say so. */
const monotone: Readonly<Record<string, (node: Node) => boolean>> = {
  Relu: () => true,
  Sigmoid: () => true,
  Tanh: () => true,
  Softplus: () => true,
  Softsign: () => true,
  LeakyRelu: (node) => floatAttribute(node, 'alpha', 0.01) >= 0,
  Elu: (node) => floatAttribute(node, 'alpha', 1) >= 0,
  Celu: (node) => floatAttribute(node, 'alpha', 1) > 0,
  HardSigmoid: (node) => floatAttribute(node, 'alpha', 0.2) >= 0,
};

/**
 * The largest of activated values is the activation of the largest, for activations that never decrease: max-pooling comes first, and
 * the activation and its gradient see only what it leaves over, a quarter of the image for windows of 2×2.
 *
 * The gradient is the same wherever the values of a window differ after the activation. Where it flattens them (both negative under a
 * ReLU), it is 0 either way.
 */
export const poolBeforeActivation: Rewrite = replacing((pool, view) => {
  const { b } = view;
  if (pool.op !== 'MaxPool' || pool.outputs[1]) return undefined;
  const activated = pool.inputs[0]!;
  const activation = view.producer(activated);
  if (!activation || !monotone[activation.op]?.(activation)) return undefined;
  // Another reader would need the activation of the whole image as well.
  if (view.isOutput(activated) || view.readers(activated).length > 1) return undefined;
  return () => {
    const pooled = b.op('MaxPool', [activation.inputs[0]!], pool.attributes, { name: b.unique(pool.name) });
    b.op(activation.op, [pooled], activation.attributes, {
      name: b.unique(activation.name),
      outputNames: [pool.outputs[0]!],
    });
  };
});
