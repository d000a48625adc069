import { writeFileSync } from 'node:fs';
import { gradientsReference } from './gradients-reference.ts';

/** `npm run docs`: writes docs/gradients.md, from the package's folder. */
const file = 'docs/gradients.md';
writeFileSync(file, gradientsReference());
process.stdout.write(`wrote ${file}\n`);
