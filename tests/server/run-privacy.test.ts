import { describe, expect, test } from '@jest/globals';
import { RunPrivacy } from '../../server/run-privacy.ts';
import { layout, POPULATION, toyConfig } from './toy-run.ts';

describe.each([{ mechanism: 'treeAggregation' }, { mechanism: 'bandedMatrix', bands: 3 }])(
  'noise that rounds share ($mechanism), in a checkpoint',
  (mechanism) => {
    const config = toyConfig({
      federation: { rounds: 12, expectedCohort: 50, sampling: 'cyclic' },
      privacy: { ...mechanism, noiseSource: 'cryptographic', noise: { multiplier: 3 } },
    });
    const privacy = () => new RunPrivacy(config, layout, POPULATION);

    test('names the grid that it is in; in units of another it would hide nothing, and is refused', () => {
      const before = privacy();
      for (const round of [1, 2]) before.serverNoise(0, 0).addTo(new Float64Array(layout.size), round);
      const state = before.state(2);
      expect(state.gridStep).toEqual(Float64Array.of(before.grid.step));
      expect(() => privacy().restore(state, 2)).not.toThrow();
      const { gridStep, ...unnamed } = state;
      for (const other of [unnamed, { ...state, gridStep: Float64Array.of(before.grid.step / 128) }]) {
        expect(() => privacy().restore(other, 2)).toThrow('units of another grid');
      }
    });
  },
);
