import {
  decomposedOperators,
  decompositionOf,
  differentiableOperators,
  flatOperators,
  gradientRule,
} from '../../graph/operators/registry.ts';
import { sequenceOperators } from '../../graph/sequences.ts';

/** The page docs/gradients.md, from the registry of operators. */
export function gradientsReference(): string {
  const rules = differentiableOperators().map((op) => {
    const reads = gradientRule(op)!.reads.map(spelled);
    return `| ${op} | ${reads.length > 0 ? reads.join(', ') : 'nothing'} |`;
  });
  const decomposed = decomposedOperators().map((op) => `| ${op} | ${decompositionOf(op)!.into} |`);
  return `# Gradients

*Written by \`npm run docs\` from the registry in graph/operators. Do not edit by hand.*

dpfl trains ONNX models of operator sets 11 to 21 whose weights are float32 initializers. \`dpfl model check model.onnx\` says
whether a model can be trained and names every node that stands in the way; \`dpfl model grad model.onnx --case case.json\` writes the
loss and every gradient of one batch, to compare with another framework.

## Operators with a gradient rule

${rules.length} operators. The second column says what the backward pass reads, and therefore keeps in memory, besides the gradient of
the output.

| operator | the backward pass reads |
|---|---|
${rules.join('\n')}

## Operators that are taken apart on import

| operator | becomes |
|---|---|
${decomposed.join('\n')}

Functions that a file brings with it are replaced by their nodes. Sequences of tensors (${sequenceOperators().join(', ')}) are
written away where their lengths are known when the graph is compiled.

## Operators without a gradient

Nothing is differentiated through these; shape arithmetic among them is folded where the sizes are known.

${flatOperators().join(', ')}

Control flow in a forward graph (If, Loop, Scan) is refused, but for an If that shapes decide. So are variants whose gradient would be wrong, by the name of the node:
cubic interpolation, peepholes and clipped gates of an LSTM, scattering by max or mul. One message lists all nodes in the way.

## What an export loses

dpfl trains what the file says, which is not always what the program said. \`padding_idx\` of PyTorch's Embedding is not in an ONNX file:
that row trains like the others (freeze it by excluding the table). PyTorch 1.13 exports circular padding, and \`scatter_add\` before operator
set 16, with another meaning than it trains them with; compare with \`dpfl model grad\`.

Neither are \`detach()\` (so that a straight-through estimator, \`x + (round(x) - x).detach()\`, trains as what is left without it, and a stopped gradient flows)
and \`requires_grad_(False)\`: freeze such layers with \`train.exclude\`. The batch must be axis 0 of every input and of the output, and
open: models of \`batch_first=False\` mix the examples; export a module that transposes inside.

## Adding an operator

1. An entry in its family's file in graph/operators: its name, the types of its outputs from those of the inputs, and its gradient. Here that
   of Sigmoid, whose output has the type of its input, and whose backward pass reads the output:

   \`\`\`ts
   unary('Sigmoid', ['y0'], ({ b, y, dy }) => mul(b, dy, mul(b, y(), sub(b, b.scalar(1), y())))),
   \`\`\`

   A rule writes nodes with the builder \`b\` and returns the gradient of every input, \`undefined\` for one that has none or was not asked
   for (\`needs(i)\`). \`unbroadcast\` sums a gradient over broadcast axes; axes may have symbolic sizes.
2. Cases: an entry in its family's file in tests/graph/operators/cases. Each case is compared with central finite differences, and a rule
   without a case fails the test suite:

   \`\`\`ts
   { title: 'elementwise', op: 'Sigmoid', inputs: [real([2, 5])] },
   \`\`\`

An operator may say in \`overClients\` how it is written for several clients in one run (docs/architecture.md); models whose operators all do are trained
several clients at a time when they are small, others one by one. Its cases are then compared in this form, too, bit by bit.

An operator that is a short formula of others has a \`decomposition\` in place of a gradient: it is written as that formula on import.
`;
}

function spelled(value: string): string {
  const what = value.startsWith('x') ? 'input' : 'output';
  return value.length > 1 ? `${what} ${value.slice(1)}` : `${what}s`;
}
