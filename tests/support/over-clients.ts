import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../graph/builder.ts';
import { ClientGroups } from '../../graph/client-groups.ts';
import { exportGraph } from '../../graph/export.ts';
import { type Dim, elementCount, type Tensor } from '../../graph/ir.ts';
import { namedStream } from '../../random/stream.ts';

/** An input of a graph: its values for one client, of which every other has the same in another order. */
export interface ClientInput extends Tensor {
  readonly name: string;
  /** Whether it differs from client to client. */
  readonly own: boolean;
  /** What the compiler is told of the sizes. Default: all. */
  readonly shape?: readonly Dim[];
}

/** An odd number: kernels that take several numbers at a time have some left over. */
const clients = 3;

export interface OverClients {
  /** The largest difference to a run of one client's graph, relative to the largest number of each output. */
  readonly error: number;
  /** Numbers that come out with other bits for the same clients in other company and places. */
  readonly changedBits: number;
}

/**
 * Compares a graph written over several clients with one run of the graph per client.
 * @param write writes the graph and returns its outputs; its inputs are declared
 * @returns undefined when it cannot be written over clients
 */
export async function errorOverClients(
  inputs: readonly ClientInput[],
  write: (b: GraphBuilder) => readonly string[],
): Promise<OverClients | undefined> {
  const b = new GraphBuilder();
  for (const { name, dtype, dims, shape } of inputs) b.input(name, dtype, shape ?? dims);
  const outputs = write(b);
  const own = inputs.filter((input) => input.own).map(({ name }) => name);
  const grouped = new ClientGroups(own).write(b, b, outputs);
  if (grouped === undefined) return undefined;
  const single = await open(b, outputs);
  const several = await open(grouped, outputs);
  const runOf = (members: readonly number[]) =>
    several.run(Object.fromEntries(inputs.map((input) => [input.name, stacked(input, members)])));
  const everybody = Array.from({ length: clients }, (_, client) => client);
  const together = await runOf(everybody);
  let error = 0;
  let changedBits = 0;
  for (const client of everybody) {
    const alone = await single.run(Object.fromEntries(inputs.map((input) => [input.name, ofClient(input, client)])));
    const others = await runOf([(client + 1) % clients, client]);
    for (const output of outputs) {
      error = Math.max(error, difference(alone[output]!, together[output]!, client));
      const size = elementCount(alone[output]!.dims);
      const [here, there] = [partOf(together[output]!, client, size), partOf(others[output]!, 1, size)];
      changedBits += here.filter((value, i) => !Object.is(value, there[i])).length;
    }
  }
  await single.release();
  await several.release();
  return { error, changedBits };
}

function open(b: GraphBuilder, outputs: readonly string[]): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(exportGraph(b.build('test', outputs)), {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
  });
}

function ofClient(input: ClientInput, client: number): ort.Tensor {
  return new ort.Tensor(input.dtype as 'float32', valuesOf(input, client) as Float32Array, input.dims);
}

function stacked(input: ClientInput, members: readonly number[]): ort.Tensor {
  if (!input.own) return ofClient(input, 0);
  const all = members.flatMap((client) => [...(valuesOf(input, client) as Float32Array)]);
  const Values = input.data.constructor as Float32ArrayConstructor;
  return new ort.Tensor(input.dtype as 'float32', Values.from(all), [members.length, ...input.dims]);
}

function valuesOf({ own, data, name }: ClientInput, client: number): Tensor['data'] {
  if (!own || client === 0) return data;
  const values = data.slice();
  const stream = namedStream('over clients', name, client);
  for (let i = values.length - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}

function partOf({ data }: ort.Tensor, client: number, size: number): number[] {
  return Array.from(data as Float32Array, Number).slice(client * size, (client + 1) * size);
}

function difference(alone: ort.Tensor, together: ort.Tensor, client: number): number {
  if (together.dims.join() !== [clients, ...alone.dims].join()) return Number.POSITIVE_INFINITY;
  const expected = Array.from(alone.data as Float32Array, Number);
  const found = partOf(together, client, expected.length);
  const scale = Math.max(...expected.map(Math.abs), 1e-30);
  return Math.max(
    0,
    ...expected.map((value, i) => {
      const error = Math.abs(value - found[i]!) / scale;
      return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    }),
  );
}
