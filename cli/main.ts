#!/usr/bin/env -S node --single-threaded-gc
// The heap is small, and other processors belong to workers: collector threads beside this one cost a server 2 % of a round's processor time.
import { reportError } from './errors.ts';
import { createProgram } from './program.ts';

// `dpfl … | head` closes the pipe early, which is no mistake of anybody.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
