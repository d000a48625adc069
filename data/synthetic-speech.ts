import { namedStream } from '../random/stream.ts';
import { packTranscriptions, type Utterance } from './batches.ts';
import type { SyntheticSpeechConfig } from './config.ts';
import type { ExampleBatch, ExpectedWork, FederatedDataset, Task } from './dataset.ts';
import { LogMelExtractor } from './features.ts';
import { checkUser } from './population.ts';
import { drawSpeaker } from './synthesis/speaker.ts';
import { drawWords, speak } from './synthesis/speech.ts';
import { DIGIT_ALPHABET, encodeText } from './text.ts';

/**
 * Digit strings spoken by synthetic voices, one voice per user. Nothing is stored: a user's voice, words and audio are
 * recomputed from the stream (seed, 'synthetic-user', id) whenever they are asked for. Held-out and public speakers have
 * streams of their own and are never users.
 */
export class SyntheticSpeech implements FederatedDataset {
  readonly task: Task;
  readonly population: number;
  readonly description: string;
  /** Present when `seedSpeakers` is not 0. */
  readonly seed?: () => ExampleBatch;
  readonly #config: SyntheticSpeechConfig;
  readonly #seed: number | string;
  readonly #extractor: LogMelExtractor;
  #evaluation: ExampleBatch | undefined;

  constructor(config: SyntheticSpeechConfig, seed: number | string) {
    this.#config = config;
    this.#seed = seed;
    this.#extractor = new LogMelExtractor(config.features);
    this.population = config.population;
    this.task = { kind: 'transcription', alphabet: DIGIT_ALPHABET, filters: config.features.filters };
    const { population, utterancesPerUser, minWords, maxWords, evaluationSpeakers } = config;
    this.description =
      `Synthetic speech: ${population} users with a voice of their own, ${utterancesPerUser} utterances each of ` +
      `${minWords} to ${maxWords} digit words; ${evaluationSpeakers} other voices for evaluation.`;
    if (config.seedSpeakers > 0)
      this.seed = () => this.#speakers('synthetic-seed-speaker', config.seedSpeakers, config.seedUtterances);
  }

  client(id: number): ExampleBatch {
    checkUser(id, this.population);
    const utterances = this.#utterances('synthetic-user', id, this.#config.utterancesPerUser);
    return packTranscriptions(utterances, this.#config.features.filters);
  }

  /** How long its utterances are is known only when they are spoken: on average users are alike. */
  expectedWork(id: number): ExpectedWork {
    checkUser(id, this.population);
    const examples = this.#config.utterancesPerUser;
    return { examples, pass: examples };
  }

  evaluation(): ExampleBatch {
    const { evaluationSpeakers, evaluationUtterances } = this.#config;
    this.#evaluation ??= this.#speakers('synthetic-evaluation-speaker', evaluationSpeakers, evaluationUtterances);
    return this.#evaluation;
  }

  #speakers(purpose: string, speakers: number, utterances: number): ExampleBatch {
    const all = Array.from({ length: speakers }, (_, id) => this.#utterances(purpose, id, utterances));
    return packTranscriptions(all.flat(), this.#config.features.filters);
  }

  #utterances(purpose: string, id: number, count: number): Utterance[] {
    const { minWords, maxWords } = this.#config;
    const random = namedStream(this.#seed, purpose, id);
    const speaker = drawSpeaker(random);
    return Array.from({ length: count }, () => {
      const words = drawWords(minWords, maxWords, random);
      const features = this.#extractor.extract(speak(words, speaker, random));
      return { features, target: encodeText(words.join(' '), DIGIT_ALPHABET) };
    });
  }
}
