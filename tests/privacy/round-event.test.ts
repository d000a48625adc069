import { describe, expect, test } from '@jest/globals';
import { privacyConfig } from '../../privacy/config.ts';
import { noiseConventions } from '../../privacy/conventions.ts';
import {
  fixedSizeSampled,
  gaussian,
  laplace,
  matrixMechanism,
  mechanismStep,
  poissonSampled,
  treeAggregation,
} from '../../privacy/events.ts';
import { correlatedNoise, onCohort, roundEvent } from '../../privacy/round-event.ts';

const cohort = { sampling: 'poisson', population: 100, sampledCohort: 10, samplingRate: 0.1 } as const;
const scale = { expectedCohort: 10, population: 100, rounds: 25 };
const noise = noiseConventions({ multiplier: 2 }, 10);
const settings = (given: object = {}) =>
  privacyConfig.parse({ clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 2 }, ...given });

describe('onCohort', () => {
  test('an event is on the cohort as it is drawn; cyclic cohorts are none', () => {
    expect(onCohort(cohort, gaussian(2))).toEqual(poissonSampled(0.1, gaussian(2)));
    expect(onCohort({ ...cohort, sampling: 'fixedSize' }, gaussian(2))).toEqual(fixedSizeSampled(10, 100, gaussian(2)));
    expect(() => onCohort({ ...cohort, sampling: 'cyclic' }, gaussian(2))).toThrow(
      'cyclic cohorts are no random sample',
    );
  });
});

describe('roundEvent', () => {
  test('is the noise of the mechanism on the cohort', () => {
    expect(roundEvent(settings(), cohort, noise, scale)).toEqual(poissonSampled(0.1, gaussian(2)));
    const l1 = settings({ mechanism: 'laplace', clipping: { mode: 'l1', bound: 1 } });
    expect(roundEvent(l1, cohort, noise, scale)).toEqual(poissonSampled(0.1, laplace(2)));
  });

  test('local noise is that of one delta, and gains nothing from sampling', () => {
    const local = settings({ noisePlacement: 'local' });
    expect(roundEvent(local, cohort, noise, scale)).toEqual(gaussian(noise.sigmaClient));
  });

  test('noise that rounds share is a step of the whole mechanism', () => {
    const banded = settings({ mechanism: 'bandedMatrix', bands: 5 });
    const event = roundEvent(banded, { ...cohort, sampling: 'cyclic' }, noise, scale);
    expect(event).toEqual(mechanismStep(correlatedNoise(banded, 2, scale)!, 1));
  });
});

describe('correlatedNoise', () => {
  // 100 users in cohorts of 10: everybody takes part every 10 rounds, in 25 rounds at most three times.
  const participation = { steps: 25, minSeparation: 10, maxParticipations: 3 };

  test('is none where rounds do not share noise', () => {
    expect(correlatedNoise(settings(), 2, scale)).toBeNull();
  });

  test('one participation has the noise multiplier: a tree of 25 leaves has five levels', () => {
    const tree = settings({ mechanism: 'treeAggregation' });
    const perNode = 2 * Math.sqrt(5);
    expect(correlatedNoise(tree, 2, scale)).toEqual(treeAggregation({ noiseMultiplier: perNode, ...participation }));
    const strategy = { kind: 'banded', bands: 10, columnNorm: 1 } as const;
    expect(correlatedNoise(settings({ mechanism: 'bandedMatrix', bands: 10 }), 2, scale)).toEqual(
      matrixMechanism({ noiseMultiplier: 2, ...participation, strategy }),
    );
  });

  test('needs a number of rounds, and bands no wider than the rounds between two participations', () => {
    const banded = settings({ mechanism: 'bandedMatrix', bands: 11 });
    expect(() => correlatedNoise(banded, 2, scale)).toThrow(
      'privacy.bands: 11 is more than the 10 rounds after which a user takes part again; lower it',
    );
    expect(() => correlatedNoise(banded, 2, { ...scale, rounds: undefined })).toThrow('for a number of rounds');
  });
});
