// Compiles params/kernels.wat, and writes it as a module that needs no file beside it at run time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import openWabt from 'wabt';

const source = 'params/kernels.wat';
const wabt = await openWabt();
const { buffer } = wabt.parseWat(source, readFileSync(source, 'utf8'), { simd: true }).toBinary({});
mkdirSync('params/generated', { recursive: true });
const text = Buffer.from(buffer).toString('base64');
writeFileSync(
  'params/generated/kernels.ts',
  `/** WebAssembly, made from ${source}. */\nexport const kernels = '${text}';\n`,
);
