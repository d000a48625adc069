import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../errors.ts';
import { packTranscriptions, type Utterance } from './batches.ts';
import type { FsddConfig } from './config.ts';
import type { ExampleBatch, ExpectedWork, FederatedDataset, Task } from './dataset.ts';
import { LogMelExtractor } from './features.ts';
import { checkPopulation, checkUser } from './population.ts';
import { DIGIT_ALPHABET, DIGIT_WORDS, encodeText } from './text.ts';
import { readWav } from './wav.ts';

/** One recording, from its file name `{digit}_{speaker}_{take}.wav`. */
interface Recording {
  readonly path: string;
  readonly digit: number;
  readonly speaker: string;
  readonly take: number;
}

/**
 * The Free Spoken Digit Dataset (Jackson et al.). A user is (speaker, block of `takesPerUser` takes of all digits), so one
 * speaker's recordings make several users; blocks count from the first take that is not held out, and a speaker's last block
 * may be shorter. All audio is decoded at opening; the features are kept.
 */
export class Fsdd implements FederatedDataset {
  readonly task: Task;
  readonly population: number;
  readonly description: string;
  readonly userMeaning: string;
  readonly #filters: number;
  readonly #users: readonly (readonly Utterance[])[];
  readonly #heldOut: readonly Utterance[];
  #evaluation: ExampleBatch | undefined;

  /**
   * @throws DataError for a missing or empty folder, a file name off the pattern, or a WAV file that cannot be used
   * @throws ConfigError when all takes are held out, none is, or the stated population is not the number of users
   */
  constructor(config: FsddConfig) {
    const { path, takesPerUser, heldOutTakes, features } = config;
    const recordings = listRecordings(recordingsFolder(path));
    const training = recordings.filter(({ take }) => take >= heldOutTakes);
    const heldOut = recordings.filter(({ take }) => take < heldOutTakes);
    if (training.length === 0 || heldOut.length === 0) {
      throw new ConfigError(
        `data.heldOutTakes: ${heldOutTakes} leaves ${training.length} training and ${heldOut.length} held-out recordings of ${path}; both are needed`,
      );
    }
    const users = new Map<string, Recording[]>();
    for (const recording of training) {
      const key = `${recording.speaker} ${Math.floor((recording.take - heldOutTakes) / takesPerUser)}`;
      const user = users.get(key);
      if (user === undefined) users.set(key, [recording]);
      else user.push(recording);
    }
    checkPopulation(config.population, users.size, `data.takesPerUser ${takesPerUser}`);

    const extractor = new LogMelExtractor(features);
    const read = ({ path: file, digit }: Recording): Utterance => ({
      features: extractor.extract(readWav(file, features.sampleRate)),
      target: encodeText(DIGIT_WORDS[digit], DIGIT_ALPHABET),
    });
    this.#filters = features.filters;
    this.#users = [...users.values()].map((user) => user.map(read));
    this.#heldOut = heldOut.map(read);
    this.population = users.size;
    this.task = { kind: 'transcription', alphabet: DIGIT_ALPHABET, filters: features.filters };
    const speakers = new Set(recordings.map(({ speaker }) => speaker)).size;
    this.userMeaning = `A user here is a block of ${takesPerUser} takes, not a person: each speaker makes several users, and the guarantee for a speaker is weaker`;
    this.description =
      `Free Spoken Digit Dataset: ${training.length} recordings of ${speakers} speakers as ${users.size} users ` +
      `(blocks of ${takesPerUser} takes); ${heldOut.length} other takes of the same speakers for evaluation.`;
  }

  client(id: number): ExampleBatch {
    checkUser(id, this.population);
    return packTranscriptions(this.#users[id], this.#filters);
  }

  expectedWork(id: number): ExpectedWork {
    checkUser(id, this.population);
    const user = this.#users[id];
    return { examples: user.length, pass: user.reduce((values, { features }) => values + features.length, 0) };
  }

  evaluation(): ExampleBatch {
    this.#evaluation ??= packTranscriptions(this.#heldOut, this.#filters);
    return this.#evaluation;
  }
}

/** The data set's own folder holds its audio in `recordings`; either may be given. */
function recordingsFolder(path: string): string {
  const inner = join(path, 'recordings');
  return existsSync(inner) ? inner : path;
}

/** The WAV files of `folder`, by speaker, take and digit, whatever order the file system lists them in. */
function listRecordings(folder: string): Recording[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw new DataError(`${folder}: cannot be listed; data.path must be the data set's folder, or its recordings`, {
      cause,
    });
  }
  const recordings: Recording[] = [];
  for (const name of names.filter((file) => file.toLowerCase().endsWith('.wav'))) {
    const parts = /^(\d)_([a-z]+)_(\d+)\.wav$/.exec(name);
    if (parts === null)
      throw new DataError(`${join(folder, name)}: is not named {digit}_{speaker}_{take}.wav; rename or remove it`);
    recordings.push({ path: join(folder, name), digit: Number(parts[1]), speaker: parts[2], take: Number(parts[3]) });
  }
  if (recordings.length === 0)
    throw new DataError(`${folder}: holds no WAV files; data.path must be the data set's folder, or its recordings`);
  return recordings.sort(
    (a, b) => (a.speaker < b.speaker ? -1 : a.speaker > b.speaker ? 1 : 0) || a.take - b.take || a.digit - b.digit,
  );
}
