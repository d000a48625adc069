import type { OracleTensor } from './gradient-case.ts';

export interface OracleLayer {
  readonly op: string;
  readonly direction: string;
  readonly linearBeforeReset: boolean;
  /** A plain layer with ReLU in place of tanh. */
  readonly relu: boolean;
}

type Inputs = readonly (OracleTensor | undefined)[];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * LSTM, GRU and RNN in float64, one number at a time, written from the operators' definitions in the ONNX specification.
 * @returns Y [T, D, B, H], Y_h and (LSTM) Y_c [D, B, H]
 */
export function runRecurrent(layer: OracleLayer, inputs: Inputs): OracleTensor[] {
  const [x, w, r, bias, lengths, firstHidden, firstCell] = inputs as [
    OracleTensor,
    OracleTensor,
    OracleTensor,
    ...Inputs,
  ];
  const [steps, batch, features] = x.dims as [number, number, number];
  const [directions, rows, hidden] = r.dims as [number, number, number];
  const y = new Float64Array(steps * directions * batch * hidden);
  const [lastHidden, lastCell] = [0, 1].map(() => new Float64Array(directions * batch * hidden)) as [
    Float64Array,
    Float64Array,
  ];
  for (let d = 0; d < directions; d++) {
    const reverse = layer.direction === 'reverse' || d === 1;
    for (let s = 0; s < batch; s++) {
      const at = (d * batch + s) * hidden;
      const length = lengths ? lengths.values[s]! : steps;
      let h = Array.from({ length: hidden }, (_, j) => firstHidden?.values[at + j] ?? 0);
      let c = Array.from({ length: hidden }, (_, j) => firstCell?.values[at + j] ?? 0);
      for (let i = 0; i < length; i++) {
        const t = reverse ? length - 1 - i : i;
        const input = (row: number): number => {
          let sum = bias?.values[d * 2 * rows + row] ?? 0;
          for (let k = 0; k < features; k++)
            sum += w.values[(d * rows + row) * features + k]! * x.values[(t * batch + s) * features + k]!;
          return sum;
        };
        const recurrent = (row: number, state: readonly number[]): number => {
          let sum = bias?.values[(d * 2 + 1) * rows + row] ?? 0;
          for (let k = 0; k < hidden; k++) sum += r.values[(d * rows + row) * hidden + k]! * state[k]!;
          return sum;
        };
        [h, c] = stepOf(layer, hidden, h, c, input, recurrent);
        for (let j = 0; j < hidden; j++) y[((t * directions + d) * batch + s) * hidden + j] = h[j]!;
      }
      lastHidden.set(h, at);
      lastCell.set(c, at);
    }
  }
  const stateDims = [directions, batch, hidden];
  const outputs = [
    { dims: [steps, directions, batch, hidden], values: [...y] },
    { dims: stateDims, values: [...lastHidden] },
  ];
  return layer.op === 'LSTM' ? [...outputs, { dims: stateDims, values: [...lastCell] }] : outputs;
}

/** One step of one sequence: the next hidden and cell states. `input` and `recurrent` give a row of the products with their biases. */
function stepOf(
  { op, linearBeforeReset, relu }: OracleLayer,
  hidden: number,
  h: readonly number[],
  c: readonly number[],
  input: (row: number) => number,
  recurrent: (row: number, state: readonly number[]) => number,
): [number[], number[]] {
  const units = Array.from({ length: hidden }, (_, j) => j);
  const gate = (index: number, j: number) => input(index * hidden + j) + recurrent(index * hidden + j, h);
  if (op === 'RNN') return [units.map((j) => (relu ? Math.max(gate(0, j), 0) : Math.tanh(gate(0, j)))), []];
  if (op === 'LSTM') {
    const cell = units.map((j) => sigmoid(gate(2, j)) * c[j]! + sigmoid(gate(0, j)) * Math.tanh(gate(3, j)));
    return [units.map((j) => sigmoid(gate(1, j)) * Math.tanh(cell[j]!)), cell];
  }
  const z = units.map((j) => sigmoid(gate(0, j)));
  const reset = units.map((j) => sigmoid(gate(1, j)));
  const shortened = units.map((j) => reset[j]! * h[j]!);
  const n = units.map((j) => {
    const row = 2 * hidden + j;
    const past = linearBeforeReset ? reset[j]! * recurrent(row, h) : recurrent(row, shortened);
    return Math.tanh(input(row) + past);
  });
  return [units.map((j) => (1 - z[j]!) * n[j]! + z[j]! * h[j]!), []];
}
