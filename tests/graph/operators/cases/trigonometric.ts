import { type GradientCase, real } from '../../../support/gradient-case.ts';

const everywhere = {
  Sin: Math.sin,
  Cos: Math.cos,
  Atan: Math.atan,
  Sinh: Math.sinh,
  Cosh: Math.cosh,
  Asinh: Math.asinh,
};
const inside = { Tan: Math.tan, Asin: Math.asin, Acos: Math.acos, Atanh: Math.atanh };

/** Most have no float64 kernel in onnxruntime, and slopes too steep for float32 differences. */
const against = (op: string, f: (x: number) => number, low: number, high: number): GradientCase => ({
  title: `between ${low} and ${high}`,
  op,
  inputs: [real([2, 3], { low, high })],
  oracle: ([x]) => [{ dims: x!.dims, values: x!.values.map(f) }],
});

export const trigonometricCases: readonly GradientCase[] = [
  ...Object.entries(everywhere).map(([op, f]) => against(op, f, -2, 2)),
  ...Object.entries(inside).map(([op, f]) => against(op, f, -0.8, 0.8)),
  against('Acosh', Math.acosh, 1.3, 3),
];
