import { type Attributes, float32Tensor, int64Tensor, ints, text } from '../../../../graph/ir.ts';
import { type CaseInput, type GradientCase, real } from '../../../support/gradient-case.ts';

const scales = (...values: number[]) => float32Tensor([values.length], values);

function resize(title: string, dims: number[], how: CaseInput[], attributes: Attributes): GradientCase {
  // A given size would fix the batch as well.
  const shape = how.length > 1 ? dims : ['batch', ...dims.slice(1)];
  return { title, op: 'Resize', inputs: [real(dims, { shape }), undefined, ...how], attributes, linear: true };
}

const modes: GradientCase[] = ['half_pixel', 'pytorch_half_pixel', 'asymmetric', 'align_corners'].flatMap(
  (coordinates) =>
    ['nearest', 'linear'].flatMap((mode) => {
      const attributes = { mode: text(mode), coordinate_transformation_mode: text(coordinates) };
      return [
        resize(`${mode}, ${coordinates}, larger`, [2, 1, 3, 2], [scales(1, 1, 2, 3)], attributes),
        resize(
          `${mode}, ${coordinates}, smaller, by sizes`,
          [1, 2, 5, 4],
          [undefined, int64Tensor([4], [1, 2, 3, 2])],
          attributes,
        ),
      ];
    }),
);

export const resizeCases: readonly GradientCase[] = [
  ...modes,
  ...['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'].map((rounding) =>
    resize(`nearest by ${rounding}`, [1, 1, 5], [scales(1, 1, 1.6)], {
      mode: text('nearest'),
      nearest_mode: text(rounding),
    }),
  ),
  resize('given axes', [1, 2, 2, 3], [scales(2)], { mode: text('linear'), axes: ints([2]) }),
];
