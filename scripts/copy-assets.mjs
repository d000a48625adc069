// Copies the files that are read at run time, and that tsc does not emit, beside the built code.
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';

mkdirSync('dist/proto', { recursive: true });
copyFileSync('proto/aggregation.proto', 'dist/proto/aggregation.proto');
chmodSync('dist/cli/main.js', 0o755);
