import { CommanderError } from 'commander';
import { DpflError } from '../errors.ts';

/** Exit codes of the command line: 0 done, 1 a bug in dpfl or a claim that does not hold, 2 something the user can mend, 130 interrupted. */
export const EXIT = { ok: 0, bug: 1, user: 2, interrupted: 130 } as const;

/** The audit of a run contradicts its claim: nothing that the user did, and nothing to overlook. */
export class AuditFailure extends Error {
  constructor(contradiction: string, directory: string) {
    super(
      `${contradiction}\nclipping, noise, sampling or accounting are wrong: do not rely on the privacy of ${directory}, see its report.md`,
    );
  }
}

/**
 * Prints an error the way it deserves: one `dpfl:` line per mistake the user can mend, message and stack for a bug.
 * @returns the exit code
 */
export function reportError(error: unknown, stderr: { write(text: string): unknown } = process.stderr): number {
  if (error instanceof CommanderError) {
    // commander has already written its message (or the help text that was asked for)
    return error.exitCode === 0 ? EXIT.ok : EXIT.user;
  }
  if (error instanceof DpflError) {
    for (const line of error.message.split('\n')) stderr.write(`dpfl: ${line}\n`);
    return EXIT.user;
  }
  if (error instanceof AuditFailure) {
    for (const line of error.message.split('\n')) stderr.write(`dpfl: ERROR: ${line}\n`);
    return EXIT.bug;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(
    `dpfl: unexpected error: ${detail}\ndpfl: this is a bug in dpfl; please report it with the lines above\n`,
  );
  return EXIT.bug;
}
