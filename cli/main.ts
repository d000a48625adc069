#!/usr/bin/env node
import { reportError } from './errors.ts';
import { createProgram } from './program.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
