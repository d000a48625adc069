import { LocalTrainer } from '../client/trainer.ts';
import { parametersOf } from '../graph/parameters.ts';
import type { RunConfig } from '../server/run-config.ts';
import { trainSeedModel } from '../server/seed-model.ts';
import type { Prepared } from './prepare.ts';
import type { Progress } from './progress.ts';

/** The weights before the first round: those of the file or the seed, or the centrally trained seed model. */
export async function startingPoint(
  { config, progress }: { readonly config: RunConfig; readonly progress: Pick<Progress, 'note'> },
  { dataset, adapted, layout, training }: Pick<Prepared, 'dataset' | 'adapted' | 'layout' | 'training'>,
): Promise<Float32Array> {
  const initial = parametersOf(adapted.model, layout);
  if (!config.seedModel || !dataset.seed) return initial;
  const examples = dataset.seed();
  const { steps } = config.seedModel;
  progress.note(
    `stage 1: seed model, trained centrally on ${examples.count} public examples for ${steps} steps (no user's data)`,
  );
  const trainer = await LocalTrainer.create(training);
  const every = Math.max(1, Math.round(steps / 4));
  const onStep = (step: number, loss: number) => {
    if (step % every === 0 || step === steps) progress.note(`  step ${step}/${steps}  loss ${loss.toFixed(3)}`);
  };
  const parameters = await trainSeedModel(initial, {
    trainer,
    examples,
    config: config.seedModel,
    layout,
    seed: config.seed,
    onStep,
  });
  progress.note('stage 2: federated training');
  return parameters;
}
