import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindModel } from '../../graph/binding.ts';
import { compileForward, compileTraining } from '../../graph/compile.ts';
import { type Compile, CompileCache } from '../../graph/compile-cache.ts';
import type { Graph } from '../../graph/ir.ts';
import { decodeModel } from '../../graph/onnx/read.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';

const repetitions = 5;

/** Time to compile deep, narrow transformers: one whose training step, and one whose forward pass alone, has 5 000 nodes and more. */
export async function benchCompile(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'dpfl-bench-'));
  try {
    const cache = new CompileCache(directory);
    console.log('| compiled | nodes | ms | from the cache, ms |\n|---|---|---|---|');
    console.log(compileDeep(36, 'training', compileTraining, cache));
    console.log(compileDeep(225, 'forward', compileForward, cache));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function compileDeep(blocks: number, kind: 'training' | 'forward', compile: Compile, cache: CompileCache): string {
  const settings = { filters: 8, vocabulary: 5, blocks, width: 8, heads: 2, mlp: 16, stride: 1 };
  const model = buildTransformerCtc({ kind: 'transformer-ctc', ...settings }, 1);
  const binding = bindModel(model, 'transcription', 'deep');
  const { onnx } = cache.artifact(kind, model, binding, compile);
  const times = [median(() => compile(model, binding)), median(() => cache.artifact(kind, model, binding, compile))];
  const cells = [countNodes(decodeModel(onnx, 'deep').graph), ...times.map((time) => time.toFixed(0))];
  return `| ${kind}, ${blocks} blocks | ${cells.join(' | ')} |`;
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
