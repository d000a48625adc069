import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';
import { namedStream } from '../../random/stream.ts';
import { transcriptionClient } from './workloads.ts';

/** arXiv:2310.00098 §4: 36 blocks of width 768 with an MLP of 3072; the paper gives neither heads nor stride. */
const settings = { filters: 80, vocabulary: 29, blocks: 36, width: 768, heads: 4, mlp: 3072, stride: 4 };

/** Builds and compiles the paper's model, and takes one local step on one utterance of 3 s: time and memory of each stage. */
export async function benchPaper(): Promise<void> {
  let started = performance.now();
  const report = (what: string) => {
    const seconds = (performance.now() - started) / 1000;
    const peak = process.resourceUsage().maxRSS / 2 ** 20;
    console.log(`${what.padEnd(40)} ${seconds.toFixed(1).padStart(6)} s   peak memory ${peak.toFixed(2)} GB`);
    started = performance.now();
  };
  const model = buildTransformerCtc({ kind: 'transformer-ctc', ...settings }, 1);
  report('weights drawn');
  const artifact = compileTraining(model, bindModel(model, 'transcription', 'paper'));
  report(`training step compiled, ${(artifact.onnx.length / 1e6).toFixed(1)} MB`);
  const trainer = await LocalTrainer.create(artifact);
  report('session opened');
  const parameters = parametersOf(model, trainer.layout);
  report(`parameters: ${trainer.layout.size}`);
  const examples = transcriptionClient({ count: 1, frames: 300, labels: 40, ...settings });
  const local = localConfig.parse({ steps: 1, batchSize: 1, learningRate: 0.01 });
  const { loss } = await trainer.train(parameters, examples, local, namedStream(1, 'bench-batches', 0));
  report(`one local step on 300 frames, loss ${loss.toFixed(3)}`);
}
