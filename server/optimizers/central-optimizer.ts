import { ModelError } from '../../errors.ts';
import type { ParameterLayout } from '../../params/layout.ts';
import type { OptimizerConfig } from '../config.ts';
import { learningRateSchedule, type Schedule } from '../schedules.ts';
import { adam } from './adam.ts';
import { lamb } from './lamb.ts';
import { lars } from './lars.ts';
import { sgd } from './sgd.ts';
import type { Transform } from './transform.ts';

/** All that an optimizer remembers between steps; what a checkpoint holds of it. */
export interface OptimizerState {
  /** Central steps taken. */
  readonly steps: number;
  readonly slots: Readonly<Record<string, Float32Array>>;
}

/** A chain of transforms with its state: turns pseudo-gradients into steps of the parameters. */
export class CentralOptimizer {
  readonly #transform: Transform;
  readonly #layout: ParameterLayout;
  readonly #schedule: Schedule;
  readonly #slots: readonly Float32Array[];
  #steps = 0;

  /** An optimizer at step 0 with zero state. */
  constructor(config: OptimizerConfig, layout: ParameterLayout) {
    this.#schedule = learningRateSchedule(config.learningRate, config.schedule);
    this.#transform = transformOf(config, this.#schedule);
    this.#layout = layout;
    this.#slots = this.#transform.slots.map(() => layout.allocate());
  }

  /** Learning rate of the step that comes next. */
  get nextLearningRate(): number {
    return this.#schedule(this.#steps + 1);
  }

  /**
   * Takes one central step: `parameters` change in place; `gradient` is overwritten by the change.
   * Both are flat vectors of the layout.
   */
  step(parameters: Float32Array, gradient: Float32Array): void {
    this.#steps += 1;
    this.#transform.apply(gradient, this.#slots, { layout: this.#layout, parameters, step: this.#steps });
    for (let i = 0; i < parameters.length; i++) parameters[i] += gradient[i];
  }

  /** The state as it stands: views of the live vectors, to be written out before the next step. */
  get state(): OptimizerState {
    return {
      steps: this.#steps,
      slots: Object.fromEntries(this.#transform.slots.map((name, index) => [name, this.#slots[index]])),
    };
  }

  /**
   * Continues from a saved state.
   * @throws ModelError when the state is of another optimizer or of another layout
   */
  restore(state: OptimizerState): void {
    const names = this.#transform.slots;
    const sameNames = Object.keys(state.slots).sort().join() === [...names].sort().join();
    if (!sameNames || names.some((name) => state.slots[name].length !== this.#layout.size)) {
      throw new ModelError(
        `optimizer state: the saved vectors [${Object.keys(state.slots).join(', ')}] do not fit this optimizer, which needs [${names.join(', ')}] of ${this.#layout.size} parameters`,
      );
    }
    for (const [index, name] of names.entries()) this.#slots[index].set(state.slots[name]);
    this.#steps = state.steps;
  }
}

function transformOf(config: OptimizerConfig, schedule: Schedule): Transform {
  switch (config.kind) {
    case 'sgd':
      return sgd(schedule, config.momentum);
    case 'adam':
      return adam(schedule, config);
    case 'lamb':
      return lamb(schedule, config);
    case 'lars':
      return lars(schedule, config);
  }
}
