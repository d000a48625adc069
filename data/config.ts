import { z } from 'zod';
import { SYNTHESIS_RATE } from './synthesis/sample-rate.ts';

/** Log-mel filterbank settings; the FFT size follows from them (see features.ts). */
export const featuresConfig = z
  .strictObject({
    sampleRate: z.int().min(4000).max(96000).default(8000).describe('samples per second of the audio'),
    windowMs: z.number().positive().max(200).default(25).describe('analysis window in milliseconds'),
    hopMs: z.number().positive().max(200).default(10).describe('step from one frame to the next in milliseconds'),
    filters: z.int().min(1).max(256).default(80).describe('number of mel filters'),
    lowHz: z.number().min(0).default(20).describe('lower edge of the lowest filter in Hz'),
    highHz: z
      .number()
      .positive()
      .optional()
      .describe('upper edge of the highest filter in Hz (default: half the rate)'),
    preemphasis: z.number().min(0).max(1).default(0).describe('coefficient of the pre-emphasis filter; 0 = none'),
  })
  .superRefine(({ sampleRate, lowHz, highHz, hopMs, windowMs }, context) => {
    const top = highHz ?? sampleRate / 2;
    const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (top > sampleRate / 2)
      refuse('highHz', `highHz ${top} is above half the sample rate (${sampleRate / 2}); lower it`);
    if (lowHz >= top) refuse('lowHz', `lowHz ${lowHz} must be below highHz ${top}`);
    if (Math.round((sampleRate * hopMs) / 1000) < 1) refuse('hopMs', 'the hop is shorter than one sample; enlarge it');
    if (Math.round((sampleRate * windowMs) / 1000) < 2)
      refuse('windowMs', 'the window is shorter than two samples; enlarge it');
  });
export type FeaturesConfig = z.infer<typeof featuresConfig>;

const features = featuresConfig.prefault({}).describe('log-mel filterbank');
const path = z.string().min(1).describe('folder of the data set');
const count = z.int().min(1);
const statedPopulation = count
  .optional()
  .describe('stated number of users K; refused when the data and its partition give another number');

/** Digit strings spoken by synthetic voices: any number of users, at no cost until they are sampled. */
export const syntheticSpeechConfig = z
  .strictObject({
    kind: z.literal('synthetic-speech'),
    population: count.max(Number.MAX_SAFE_INTEGER).default(1_000_000).describe('number of users K'),
    utterancesPerUser: count.max(1000).default(4).describe('utterances of each user'),
    evaluationSpeakers: count.max(100_000).default(50).describe('held-out speakers, never users of the population'),
    evaluationUtterances: count.max(1000).default(4).describe('utterances of each held-out speaker'),
    seedSpeakers: z.int().min(0).max(100_000).default(16).describe('public speakers for the seed model; 0 = none'),
    seedUtterances: count.max(1000).default(8).describe('utterances of each public speaker'),
    minWords: count.max(6).default(1).describe('fewest words in an utterance'),
    maxWords: count.max(6).default(4).describe('most words in an utterance'),
    features,
  })
  .superRefine((config, context) => {
    const refuse = (where: string[], message: string) => context.addIssue({ code: 'custom', path: where, message });
    if (config.minWords > config.maxWords)
      refuse(['minWords'], `minWords ${config.minWords} must not exceed maxWords ${config.maxWords}`);
    if (config.features.sampleRate !== SYNTHESIS_RATE)
      refuse(['features', 'sampleRate'], `synthetic speech is made at ${SYNTHESIS_RATE} Hz; leave sampleRate out`);
  });
export type SyntheticSpeechConfig = z.infer<typeof syntheticSpeechConfig>;

/** The Free Spoken Digit Dataset: a user is one speaker's block of takes of all ten digits. */
export const fsddConfig = z.strictObject({
  kind: z.literal('fsdd'),
  path,
  takesPerUser: count.max(1000).default(5).describe('consecutive takes (of every digit) that make up one user'),
  heldOutTakes: count.max(1000).default(5).describe('takes 0 … heldOutTakes−1 are held out for evaluation'),
  population: statedPopulation,
  features,
});
export type FsddConfig = z.infer<typeof fsddConfig>;

/** CIFAR-10 in the official binary format, dealt to users. */
export const cifar10Config = z.strictObject({
  kind: z.literal('cifar10'),
  path,
  samplesPerUser: count.max(50_000).default(50).describe('training images of each user'),
  partition: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('iid') }),
      z.strictObject({
        kind: z.literal('dirichlet'),
        alpha: z.number().positive().max(1e6).describe('concentration of the class mix; small = few classes per user'),
      }),
    ])
    .default({ kind: 'iid' })
    .describe('how images are dealt to users'),
  population: statedPopulation,
});
export type Cifar10Config = z.infer<typeof cifar10Config>;

const pixels = count.max(1024);

/** Classes of random patterns, drawn anew by every user with its own lighting: any number of users, at no cost until they are sampled. */
export const syntheticImagesConfig = z.strictObject({
  kind: z.literal('synthetic-images'),
  population: count.max(Number.MAX_SAFE_INTEGER).default(1_000_000).describe('number of users K'),
  samplesPerUser: count.max(50_000).default(50).describe('images of each user; with a spread, of the median user'),
  samplesSpread: z
    .number()
    .min(0)
    .max(3)
    .default(0)
    .describe('standard deviation of the logarithm of a user’s number of images; 0 = all alike'),
  imageShape: z.tuple([pixels, pixels, pixels]).default([1, 28, 28]).describe('channels, height, width'),
  classes: count.min(2).max(1000).default(10).describe('number of classes'),
  noise: z.number().min(0).max(100).default(1).describe('standard deviation of each pixel’s noise; patterns have 1'),
  evaluationSamples: count.max(100_000).default(1000).describe('held-out images'),
});
export type SyntheticImagesConfig = z.infer<typeof syntheticImagesConfig>;

/** Arrays of your own: NumPy files with one row per example. */
export const npyConfig = z.strictObject({
  kind: z.literal('npy'),
  path: path.describe(
    'folder with train/ and test/, each holding one .npy file per field; train/user.npy says whose an example is',
  ),
  alphabet: z
    .string()
    .min(1)
    .optional()
    .describe('the symbols 1, 2, … of targets; with it, features and targets are transcribed speech'),
  population: statedPopulation,
});
export type NpyConfig = z.infer<typeof npyConfig>;

/** The `data` section of a run's configuration. Paths are absolute or relative to the working directory. */
export const dataConfig = z.discriminatedUnion('kind', [
  syntheticSpeechConfig,
  syntheticImagesConfig,
  fsddConfig,
  cifar10Config,
  npyConfig,
]);
export type DataConfig = z.infer<typeof dataConfig>;
