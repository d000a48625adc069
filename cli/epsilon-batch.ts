import { readFile } from 'node:fs/promises';
import { ConfigError } from '../errors.ts';
import { type EpsilonFlags, type EpsilonJson, epsilonJson, epsilonOfFlags } from './epsilon.ts';

/** Keys of a case, and the flags they stand for. */
const FLAGS: Readonly<Record<string, string>> = {
  noiseMultiplier: '--noise-multiplier',
  samplingRate: '--sampling-rate',
  steps: '--steps',
  delta: '--delta',
  accountant: '--accountant',
};

/**
 * Answers of a file of questions, one JSON object per line; blank lines are skipped.
 * @param accountant for cases that name none
 * @throws ConfigError naming file, line and key; the answers before it have been given
 */
export async function* epsilonBatch(path: string, accountant?: string): AsyncGenerator<EpsilonJson> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(`--batch: cannot read ${path}`, { cause });
  });
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    yield answer(line, `${path} line ${index + 1}`, accountant);
  }
}

function answer(line: string, where: string, accountant: string | undefined): EpsilonJson {
  try {
    return epsilonJson(epsilonOfFlags({ ...(accountant !== undefined && { accountant }), ...flagsOf(line) }));
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const [key] = Object.entries(FLAGS).find(([, flag]) => cause.message.startsWith(`${flag}:`)) ?? [];
    const message = key === undefined ? cause.message : `${key}${cause.message.slice(FLAGS[key].length)}`;
    throw new ConfigError(`${where}: ${message}`, { cause });
  }
}

function flagsOf(line: string): EpsilonFlags {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ConfigError('not JSON; write one object per line', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError('not an object; write one object per line');
  }
  const flags: Record<string, string> = {};
  for (const [key, entry] of Object.entries(value)) {
    if (!(key in FLAGS)) throw new ConfigError(`${key}: unknown key; there are ${Object.keys(FLAGS).join(', ')}`);
    flags[key] = String(entry);
  }
  return flags;
}
