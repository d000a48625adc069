import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalTrainer } from '../../client/trainer.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileForward, compileTraining } from '../../graph/compile.ts';
import { CompileCache } from '../../graph/compile-cache.ts';
import type { Graph } from '../../graph/ir.ts';
import { decodeModel } from '../../graph/onnx/read.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';

const repetitions = 5;

/** Time to compile deep, narrow transformers: one whose training step, and one whose forward pass alone, has 5 000 nodes and more. */
export async function benchCompile(): Promise<void> {
  console.log(`| model | forward nodes | training nodes | forward ms | training ms | from the cache ms | session ms |`);
  console.log('|---|---|---|---|---|---|---|');
  for (const blocks of [36, 240]) console.log(await compileDeep(blocks));
}

async function compileDeep(blocks: number): Promise<string> {
  const settings = { filters: 8, vocabulary: 5, blocks, width: 8, heads: 2, mlp: 16, stride: 1 };
  const model = buildTransformerCtc({ kind: 'transformer-ctc', ...settings }, 1);
  const binding = bindModel(model, 'transcription', 'deep');
  const directory = mkdtempSync(join(tmpdir(), 'dpfl-bench-'));
  try {
    const cache = new CompileCache(directory);
    const training = cache.artifact('training', model, binding, compileTraining);
    const forward = compileForward(model, binding);
    const times = [
      median(() => compileForward(model, binding)),
      median(() => compileTraining(model, binding)),
      median(() => cache.artifact('training', model, binding, compileTraining)),
    ];
    const started = performance.now();
    await LocalTrainer.create(training);
    times.push(performance.now() - started);
    const nodes = [forward, training].map(({ onnx }) => countNodes(decodeModel(onnx, 'deep').graph));
    return `| ${blocks} blocks | ${[...nodes, ...times.map((time) => time.toFixed(0))].join(' | ')} |`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function countNodes(graph: Graph): number {
  return graph.nodes.reduce((sum, { attributes }) => {
    const bodies = Object.values(attributes).flatMap((attribute) =>
      attribute.kind === 'graph' ? [attribute.value] : [],
    );
    return sum + 1 + bodies.reduce((inner, body) => inner + countNodes(body), 0);
  }, 0);
}

/** Milliseconds. */
function median(work: () => unknown): number {
  const times = Array.from({ length: repetitions }, () => {
    const started = performance.now();
    work();
    return performance.now() - started;
  });
  return times.sort((a, b) => a - b)[repetitions >> 1]!;
}
