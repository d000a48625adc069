import { bindModel, type Objective } from '../graph/binding.ts';
import { compileTraining } from '../graph/compile.ts';
import type { Model } from '../graph/ir.ts';
import { type AdaptationOptions, readTrainedModel } from './adapted-model-file.ts';

/**
 * Compiles local training of a model file: see `compileTraining` for the inputs and outputs of the graph.
 * @param objective by default transcription when the logits have three dimensions, else classification
 * @throws ModelError when the model cannot be trained
 */
export async function compileModelFile(
  file: string,
  objective?: Objective,
  adaptation?: AdaptationOptions,
): Promise<Uint8Array> {
  const { model } = await readTrainedModel(file, adaptation);
  return compileTraining(model, bindModel(model, objective ?? likelyObjective(model), file)).onnx;
}

function likelyObjective({ graph }: Model): Objective {
  const logits = graph.outputs.find(({ dtype }) => dtype === 'float32');
  return logits?.shape.length === 3 ? 'transcription' : 'classification';
}
