import { describe, expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { ConfigError } from '../../errors.ts';
import { Simulation } from '../../server/simulation.ts';
import { simulationConfig } from '../../server/simulation-config.ts';

const local = localConfig.parse({ epochs: 2, batchSize: 10, learningRate: 0.1 });
/** User i has 10·(i + 1) examples: 2·(i + 1) local steps. */
const dataset = { expectedWork: (id: number) => ({ examples: 10 * (id + 1), pass: 1 }) };
const subject = { seed: 1, local, dataset, parameters: 250_000 };

function simulate(settings: object, sampled: readonly number[], round = 1) {
  return new Simulation(simulationConfig.parse(settings), subject).round(round, sampled);
}

describe('a simulated round', () => {
  test('without dropout has everybody, and lasts as long as the slowest', () => {
    const { participants, record } = simulate(
      { compute: { secondsPerStep: 3 }, bandwidth: { downloadMbps: 8, uploadMbps: 2 } },
      [0, 4, 2],
    );
    expect(participants).toEqual([0, 4, 2]);
    // A megabyte at 1 MB/s, ten steps, a megabyte at 250 kB/s.
    expect(record.seconds).toBeCloseTo(1 + 30 + 4, 9);
    expect(record).toMatchObject({ unavailable: 0, missedDeadline: 0, downloadBytes: 3e6, uploadBytes: 3e6 });
  });

  test('the deadline leaves out who is too slow, and ends the round', () => {
    const { participants, record } = simulate({ compute: { secondsPerStep: 1 }, deadlineSeconds: 6 }, [0, 1, 2, 3, 4]);
    expect(participants).toEqual([0, 1, 2]);
    expect(record).toMatchObject({ missedDeadline: 2, seconds: 6, uploadBytes: 3e6, downloadBytes: 5e6 });
    // Nobody is missing: the server need not wait.
    expect(simulate({ compute: { secondsPerStep: 1 }, deadlineSeconds: 60 }, [0, 1]).record.seconds).toBe(4);
  });

  test('every sampled client has one fate', () => {
    const sampled = Array.from({ length: 500 }, (_, id) => id);
    const { participants, record } = simulate(
      {
        dropout: { beforeTraining: 0.3, afterTraining: 0.3 },
        compute: { secondsPerStep: 1, spread: 1 },
        availability: { peak: 0.8, trough: 0.2 },
        deadlineSeconds: 300,
        roundSeconds: 3600,
      },
      sampled,
    );
    const { unavailable, lostBeforeTraining, lostAfterTraining, missedDeadline } = record;
    for (const count of [unavailable, lostBeforeTraining, lostAfterTraining, missedDeadline])
      expect(count).toBeGreaterThan(20);
    expect(participants.length + unavailable + lostBeforeTraining + lostAfterTraining + missedDeadline).toBe(500);
    expect(record).toMatchObject({ seconds: 300, hour: 0, uploadBytes: participants.length * 1e6 });
  });

  test("a client's fate does not depend on who else was sampled", () => {
    const settings = {
      dropout: { beforeTraining: 0.5 },
      compute: { secondsPerStep: 1, spread: 2 },
      deadlineSeconds: 40,
    };
    const together = simulate(settings, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5).participants;
    const alone =
      together.length > 0
        ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((id) => simulate(settings, [id], 5).participants)
        : [];
    expect(together.length).toBeGreaterThan(0);
    expect(together).toEqual(alone);
  });

  test('an empty cohort is a round that takes no time', () => {
    expect(simulate({ dropout: { beforeTraining: 1 } }, [])).toMatchObject({
      participants: [],
      record: { seconds: 0 },
    });
  });

  test('needs to know the steps of users when training takes time', () => {
    const settings = simulationConfig.parse({ compute: { secondsPerStep: 1 } });
    expect(() => new Simulation(settings, { ...subject, dataset: {} })).toThrow(ConfigError);
    const steps = localConfig.parse({ steps: 4, batchSize: 10, learningRate: 0.1 });
    expect(new Simulation(settings, { ...subject, dataset: {}, local: steps }).round(1, [7]).record.seconds).toBe(4);
  });
});

describe('the simulation section', () => {
  test.each([
    [{ deadlineSeconds: 5 }, 'deadlineSeconds', /nothing takes time/],
    [{ availability: { peak: 0.5 } }, 'roundSeconds', /time of day/],
    [{ compute: { secondsPerStep: 1 }, roundSeconds: 60 }, 'deadlineSeconds', /must end before/],
    [{ compute: { secondsPerStep: 1 }, roundSeconds: 60, deadlineSeconds: 61 }, 'deadlineSeconds', /more than/],
    [{ availability: { peak: 0.1, trough: 0.2 }, roundSeconds: 60 }, 'availability.trough', /exceed peak/],
    [{ overSelection: 0.9 }, 'overSelection', /1/],
    [{ dropout: { beforeTraining: 1.1 } }, 'dropout.beforeTraining', /1/],
    [{ dropuot: {} }, '', /dropuot/],
  ])('refuses %j', (settings, key, message) => {
    const result = simulationConfig.safeParse(settings);
    const issues = result.error?.issues ?? [];
    expect(issues.map(({ path }) => path.join('.'))).toContain(key);
    expect(issues.map((issue) => issue.message).join('\n')).toMatch(message);
  });
});
