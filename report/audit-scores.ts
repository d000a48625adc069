import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DataError } from '../errors.ts';

const content = z
  .object({
    round: z.int().min(0),
    included: z.array(z.union([z.literal(0), z.literal(1)])),
    scores: z.array(z.number()),
  })
  .refine(({ included, scores }) => included.length === scores.length);

/** Coins and scores of a run's canaries after a round. */
export type AuditScores = z.infer<typeof content>;

/**
 * Reads `audit.json` of a run directory.
 * @throws DataError when it is missing, damaged or not of `canaries` canaries
 */
export async function readAuditScores(file: string, canaries: number): Promise<AuditScores> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DataError(`${file}: cannot be read, so the run's audit is lost; restore it`, { cause });
  });
  try {
    const parsed = content.safeParse(JSON.parse(text));
    if (parsed.success && parsed.data.scores.length === canaries) return parsed.data;
  } catch (cause) {
    throw new DataError(`${file}: cannot be read as JSON; the run directory is damaged`, { cause });
  }
  throw new DataError(`${file}: does not hold a coin and a score for each of ${canaries} canaries; restore the file`);
}
