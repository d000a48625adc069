import { describe, expect, test } from '@jest/globals';
import { workerTask } from '../../client/task.ts';
import { ModelError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { greetingOf } from '../../server/greeting.ts';
import { layers, task } from '../support/wire.ts';

const layout = new ParameterLayout(layers);
const model = { onnx: Uint8Array.from([1, 2, 3]), layers };

describe('greetingOf', () => {
  test('holds the run, the task, the model, and four heartbeats in the time after which a worker counts as silent', () => {
    const { welcome, model: chunks, sumBytes } = greetingOf({ runId: 'run-a', task, model, silenceSeconds: 8 }, layout);
    expect(welcome).toMatchObject({
      runId: 'run-a',
      layoutFingerprint: layout.fingerprint(),
      heartbeatSeconds: 2,
    });
    expect(workerTask.parse(JSON.parse(welcome.taskJson ?? ''))).toEqual(task);
    expect(chunks).toHaveLength(1);
    expect(sumBytes).toBe(8 * 9);
    expect(greetingOf({ runId: 'run-a', task, model }, layout).welcome.heartbeatSeconds).toBe(15);
  });

  test('a task too large for one message is refused', () => {
    const many = Array.from({ length: 30_000 }, (_, index) => ({ name: `some/long/layer/name/${index}`, shape: [1] }));
    const greet = () =>
      greetingOf({ runId: 'run-a', task: { ...task, layers: many }, model }, new ParameterLayout(many));
    expect(greet).toThrow(ModelError);
    expect(greet).toThrow(
      'the description of 30000 layers does not fit one message; give the layers shorter names or merge some',
    );
  });
});
