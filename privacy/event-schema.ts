import { z } from 'zod';
import {
  composed,
  discreteGaussian,
  fixedSizeSampled,
  gaussian,
  laplace,
  matrixMechanism,
  mechanismStep,
  nonPrivate,
  type PrivacyEvent,
  poissonSampled,
  selfComposed,
  treeAggregation,
} from './events.ts';

const positive = z.number().positive();
const count = z.int().min(1);
const nested = z.lazy((): z.ZodType<PrivacyEvent> => eventSchema);

const participation = { maxParticipations: count, minSeparation: count };

const strategy = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('toeplitz'), coefficients: z.array(z.number()).min(1) }),
  z.strictObject({ kind: z.literal('banded'), bands: count, columnNorm: positive }),
]);

const correlated = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('treeAggregation'), noiseMultiplier: positive, steps: count, ...participation })
    .transform(treeAggregation),
  z
    .strictObject({
      kind: z.literal('matrixMechanism'),
      noiseMultiplier: positive,
      steps: count,
      ...participation,
      strategy,
    })
    .transform(matrixMechanism),
]);

/** The events of `events.ts` as JSON. Parses to frozen events, not to look-alikes; a transform may throw PrivacyError. */
export const eventSchema: z.ZodType<PrivacyEvent> = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('gaussian'), noiseMultiplier: positive })
    .transform((event) => gaussian(event.noiseMultiplier)),
  z.strictObject({ kind: z.literal('laplace'), scale: positive }).transform((event) => laplace(event.scale)),
  z
    .strictObject({
      kind: z.literal('discreteGaussian'),
      standardDeviation: positive,
      sensitivity: positive,
      dimension: count,
    })
    .transform((event) => discreteGaussian(event.standardDeviation, event.sensitivity, event.dimension)),
  z
    .strictObject({ kind: z.literal('poissonSampled'), samplingRate: z.number().min(0).max(1), event: nested })
    .transform((event) => poissonSampled(event.samplingRate, event.event)),
  z
    .strictObject({ kind: z.literal('fixedSizeSampled'), cohort: count, population: count, event: nested })
    .transform((event) => fixedSizeSampled(event.cohort, event.population, event.event)),
  z.strictObject({ kind: z.literal('composed'), events: z.array(nested) }).transform((event) => composed(event.events)),
  z
    .strictObject({ kind: z.literal('selfComposed'), event: nested, count: z.int().min(0) })
    .transform((event) => selfComposed(event.event, event.count)),
  z
    .strictObject({ kind: z.literal('mechanismStep'), step: count, instance: z.int().min(0), mechanism: correlated })
    .transform((event) => mechanismStep(event.mechanism, event.step, event.instance)),
  z.strictObject({ kind: z.literal('nonPrivate'), reason: z.string() }).transform((event) => nonPrivate(event.reason)),
]);
