import { describe, expect, test } from '@jest/globals';
import { ParameterLayout } from '../../../params/layout.ts';
import { namedStream } from '../../../random/stream.ts';
import { type OptimizerConfig, optimizerConfig } from '../../../server/config.ts';
import { CentralOptimizer } from '../../../server/optimizers/central-optimizer.ts';

const layout = new ParameterLayout([
  { name: 'w', shape: [2] },
  { name: 'zero', shape: [2] },
]);

const start = Float32Array.of(3, 4, 0, 0);

function config(settings: object): OptimizerConfig {
  return optimizerConfig.parse({ learningRate: 0.1, ...settings });
}

/** Parameters after one step per gradient. */
function run(settings: OptimizerConfig, gradients: readonly Float32Array[], from = start): Float32Array {
  const optimizer = new CentralOptimizer(settings, layout);
  const parameters = from.slice();
  for (const gradient of gradients) optimizer.step(parameters, gradient.slice());
  return parameters;
}

function randomGradients(count: number, scale = 1): Float32Array[] {
  const random = namedStream(4, 'gradients');
  return Array.from({ length: count }, () => Float32Array.from(start, () => scale * (random.uniform() - 0.5)));
}

function expectClose(actual: Float32Array, expected: readonly number[], digits = 6): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, index) => {
    expect(actual[index]).toBeCloseTo(value, digits);
  });
}

describe('sgd', () => {
  test('rate 1 is federated averaging: the mean of the clients’ models', () => {
    const clients = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, -2, 0.5, 0)];
    const meanDelta = start.map((value, i) => value - (clients[0][i] + clients[1][i]) / 2);
    expect([...run(config({ kind: 'sgd', learningRate: 1 }), [meanDelta])]).toEqual([3, 0, 1.75, 2]);
  });

  test('momentum gathers gradients with decay', () => {
    const g = Float32Array.of(1, 0, 0, 0);
    // Traces of a constant gradient: 1, 1.5, 1.75.
    expectClose(run(config({ kind: 'sgd', momentum: 0.5 }), [g, g, g]), [3 - 0.1 * (1 + 1.5 + 1.75), 4, 0, 0]);
  });

  test('follows the schedule, counting steps from 1', () => {
    const schedule = { kind: 'exponential-decay', start: 2, every: 1, factor: 0.5 };
    const g = Float32Array.of(1, 0, 0, 0);
    const settings = config({ kind: 'sgd', learningRate: 1, schedule });
    expect(run(settings, [g, g, g])[0]).toBe(3 - 1 - 0.5 - 0.25);
    expect(new CentralOptimizer(settings, layout).nextLearningRate).toBe(1);
  });
});

describe('adam', () => {
  test('two steps by hand', () => {
    // g = 2 then −1 with β1 0.5, β2 0.75, ε 0: m̂ = 2; (0.5·1 + 0.5·−1)/0.75 = 0, so the second step does not move.
    const settings = config({ kind: 'adam', beta1: 0.5, beta2: 0.75, epsilon: 0 });
    const first = run(settings, [Float32Array.of(2, 0, 0, 0)]);
    expectClose(first, [3 - 0.1, 4, 0, 0]);
    const second = run(settings, [Float32Array.of(2, 0, 0, 0), Float32Array.of(-2, 0, 0, 0)]);
    // m: 1, −0.5; m̂ = −0.5/0.75 = −2/3. v: 1, 1.75; v̂ = 1.75/0.4375 = 4. Step −(−2/3)/2 · 0.1.
    expectClose(second, [3 - 0.1 + 0.1 / 3, 4, 0, 0]);
  });

  test('bias correction makes a constant gradient move by the learning rate from the first step on', () => {
    const g = Float32Array.of(0.7, -1e-3, 5, 1e-6);
    const moved = run(config({ kind: 'adam', epsilon: 0 }), [g, g, g, g]);
    expectClose(moved, [3 - 0.4, 4 + 0.4, -0.4, -0.4], 5);
  });

  test('epsilon dampens small gradients', () => {
    const settings = config({ kind: 'adam', epsilon: 1 });
    expectClose(run(settings, [Float32Array.of(1, 3, 0, 0)]), [3 - 0.1 * (1 / 2), 4 - 0.1 * (3 / 4), 0, 0]);
  });

  test('a coordinate that never had a gradient stays finite and still, also with epsilon 0', () => {
    const moved = run(config({ kind: 'adam', epsilon: 0 }), [new Float32Array(4), new Float32Array(4)]);
    expect([...moved]).toEqual([3, 4, 0, 0]);
  });
});

describe('lamb', () => {
  const settings = config({ kind: 'lamb', epsilon: 0 });

  test('one step by hand: along Adam’s direction, as long as rate times weight norm', () => {
    // r = (1, −1), ‖θ‖ = 5, ratio 5/√2. The zero layer has ratio 1.
    const step = (0.1 * 5) / Math.SQRT2;
    expectClose(run(settings, [Float32Array.of(0.3, -20, 4, 0)]), [3 - step, 4 + step, -0.1, 0], 5);
  });

  test('weight decay enters before the trust ratio', () => {
    // r + λθ = (1 + 1.5, −1 + 2) = (2.5, 1); norm √7.25.
    const decayed = config({ kind: 'lamb', epsilon: 0, weightDecay: 0.5 });
    const ratio = 5 / Math.sqrt(7.25);
    const moved = run(decayed, [Float32Array.of(7, -7, 0, 0)]);
    expectClose(moved, [3 - 0.1 * ratio * 2.5, 4 - 0.1 * ratio, 0, 0], 5);
  });

  test('with epsilon 0 the scale of the gradients does not matter', () => {
    const plain = run(settings, randomGradients(5));
    for (const scale of [2 ** -20, 2 ** 10]) {
      expect([...run(settings, randomGradients(5, scale))]).toEqual([...plain]);
    }
    const odd = run(settings, randomGradients(5, 1e-4));
    for (let i = 0; i < plain.length; i++) expect(Math.abs(odd[i] - plain[i])).toBeLessThan(1e-5);
  });

  test('each layer moves by the learning rate times its weight norm', () => {
    const moved = run(settings, randomGradients(1));
    expect(Math.hypot(moved[0] - 3, moved[1] - 4)).toBeCloseTo(0.1 * 5, 5);
  });

  test('a layer of zeros moves', () => {
    const moved = run(settings, randomGradients(1));
    expect(Math.abs(moved[2])).toBeCloseTo(0.1, 6);
    expect(Math.abs(moved[3])).toBeCloseTo(0.1, 6);
  });

  test('a zero gradient leaves everything where it is', () => {
    expect([...run(settings, [new Float32Array(4)])]).toEqual([...start]);
  });
});

describe('lars', () => {
  test('one step: trust coefficient times rate times weight norm, along the gradient', () => {
    const settings = config({ kind: 'lars', trustCoefficient: 0.5 });
    // Layer w: gradient (6, 8) of norm 10, ratio 0.5·5/10. Layer zero: ratio 1, without the coefficient.
    expectClose(run(settings, [Float32Array.of(6, 8, 1, 0)]), [3 - 0.1 * 0.25 * 6, 4 - 0.1 * 0.25 * 8, -0.1, 0]);
  });

  test('momentum gathers steps, not gradients: a decayed rate does not shrink what was gathered', () => {
    const schedule = { kind: 'exponential-decay', start: 2, every: 1, factor: 0.5 };
    const settings = config({ kind: 'lars', momentum: 0.5, schedule });
    const gradient = Float32Array.of(0, 0, 1, 0);
    const once = run(settings, [gradient]);
    expect(once[2]).toBeCloseTo(-0.1, 6);
    // Second gradient is zero: the step is momentum times the first step, whatever the rate is now.
    expect(run(settings, [gradient, new Float32Array(4)])[2]).toBeCloseTo(-0.1 - 0.05, 6);
  });

  test('defaults are those of optax', () => {
    expect(config({ kind: 'lars' })).toMatchObject({ momentum: 0.9, weightDecay: 0, trustCoefficient: 0.001 });
    expect(config({ kind: 'lamb' })).toMatchObject({ beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weightDecay: 0 });
    expect(config({ kind: 'adam' })).toMatchObject({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
  });
});

describe.each([
  { kind: 'sgd' },
  { kind: 'sgd', momentum: 0.9 },
  { kind: 'adam' },
  { kind: 'lamb', weightDecay: 0.01 },
  { kind: 'lars', trustCoefficient: 0.2 },
])('every optimizer: %p', (settings) => {
  test('finds the minimum of a quadratic', () => {
    const schedule = { kind: 'exponential-decay', start: 50, every: 50, factor: 0.5 };
    const optimizer = new CentralOptimizer(config({ ...settings, schedule }), layout);
    const target = [1, 2, -1, 0.5];
    const parameters = start.slice();
    const distance = () => Math.hypot(...target.map((value, i) => parameters[i] - value));
    const initial = distance();
    for (let step = 0; step < 400; step++) {
      optimizer.step(
        parameters,
        parameters.map((value, i) => value - target[i]),
      );
    }
    expect(distance()).toBeLessThan(initial / 20);
  });

  test('continues from its saved state as if nothing had happened', () => {
    const gradients = randomGradients(6);
    const whole = run(config(settings), gradients);
    const parameters = start.slice();
    const first = new CentralOptimizer(config(settings), layout);
    for (const gradient of gradients.slice(0, 3)) first.step(parameters, gradient.slice());
    const second = new CentralOptimizer(config(settings), layout);
    second.restore(structuredClone(first.state));
    for (const gradient of gradients.slice(3)) second.step(parameters, gradient.slice());
    expect(parameters).toEqual(whole);
  });
});

test('the state of another optimizer is refused', () => {
  const adam = new CentralOptimizer(config({ kind: 'adam' }), layout);
  const sgd = new CentralOptimizer(config({ kind: 'sgd' }), layout);
  expect(() => adam.restore(sgd.state)).toThrow('do not fit this optimizer');
});
