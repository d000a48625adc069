#!/usr/bin/env node
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
