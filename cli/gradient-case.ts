import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../errors.ts';
import { lossKinds } from '../graph/compile-gradients.ts';
import { elementCount } from '../graph/ir.ts';

const tensor = z.strictObject({
  dims: z.array(z.int().nonnegative()),
  type: z.enum(['float32', 'int64']),
  data: z.array(z.number()),
});

const gradientCase = z.strictObject({
  inputs: z.record(z.string(), tensor),
  loss: z.strictObject({
    kind: z.enum(lossKinds),
    output: z.string(),
    target: tensor,
    input_lengths: tensor.optional(),
    target_lengths: tensor.optional(),
  }),
});

export type CaseTensor = z.infer<typeof tensor>;

/** One forward and backward pass, as `dpfl model grad --case` reads it. */
export type GradientCase = z.infer<typeof gradientCase>;

/** Reads a case file. @throws ConfigError with one line that names file and key */
export function readGradientCase(file: string): GradientCase {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read (${(error as Error).message}); check the path`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${file}: is not JSON (${(error as Error).message.replaceAll('\n', ' ')})`);
  }
  return parseGradientCase(value, file);
}

/** @throws ConfigError naming the key that is wrong */
export function parseGradientCase(value: unknown, source: string): GradientCase {
  const parsed = gradientCase.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new ConfigError(`${source}: ${path.join('.') || 'the case'}: ${message.replaceAll('\n', ' ')}`);
  }
  const { inputs, loss } = parsed.data;
  for (const [name, each] of Object.entries(inputs)) requireWhole(each, `${source}: inputs.${name}`);
  for (const key of ['target', 'input_lengths', 'target_lengths'] as const) {
    const each = loss[key];
    if (each) requireWhole(each, `${source}: loss.${key}`);
  }
  requireTarget(loss, source);
  return parsed.data;
}

function requireWhole({ dims, type, data }: CaseTensor, where: string): void {
  const count = elementCount(dims);
  if (data.length !== count) {
    throw new ConfigError(`${where}: dims [${dims}] need ${count} elements, but data has ${data.length}`);
  }
  const broken = type === 'int64' ? data.find((value) => !Number.isSafeInteger(value)) : undefined;
  if (broken !== undefined) throw new ConfigError(`${where}: ${broken} is not an integer; use type float32`);
}

function requireTarget({ kind, target, input_lengths, target_lengths }: GradientCase['loss'], source: string): void {
  const type = kind === 'ctc' || kind === 'cross-entropy' ? 'int64' : 'float32';
  if (target.type !== type) throw new ConfigError(`${source}: loss.target: must be ${type} for ${kind}`);
  if (kind !== 'ctc') {
    if (input_lengths || target_lengths)
      throw new ConfigError(`${source}: loss: input_lengths and target_lengths are for ctc only; remove them`);
    return;
  }
  if (target.dims.length !== 2)
    throw new ConfigError(`${source}: loss.target: must be [batch, length] for ctc, padded with 0`);
  const [batch, length] = target.dims as [number, number];
  for (const [key, lengths] of Object.entries({ input_lengths, target_lengths })) {
    if (!lengths) continue;
    if (lengths.type !== 'int64' || lengths.dims.length !== 1 || lengths.dims[0] !== batch)
      throw new ConfigError(`${source}: loss.${key}: must be int64 [${batch}], one length per target`);
    const most = key === 'target_lengths' ? length : Number.POSITIVE_INFINITY;
    const wrong = lengths.data.find((value) => value < 0 || value > most);
    if (wrong !== undefined)
      throw new ConfigError(`${source}: loss.${key}: ${wrong} is outside 0 … ${most}, the length of the targets`);
  }
}
