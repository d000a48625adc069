import { writeFileSync } from 'node:fs';
import { runConfig } from '../../server/run-config.ts';
import { configurationReference } from './configuration-reference.ts';

/** `npm run docs`: writes docs/configuration.md, from the package's folder. */
const file = 'docs/configuration.md';
writeFileSync(file, configurationReference(runConfig));
process.stdout.write(`wrote ${file}\n`);
