import { expect, test } from '@jest/globals';
import { otherGround } from '../../cli/open-run-directory.ts';

const began = {
  dpfl: '0.1.0',
  onnxruntime: '1.30.0',
  node: 'v20.20.0',
  platform: 'linux x64',
  block: 16,
  parameters: 9,
};

test('a run that goes on upon the same ground is not remarked upon, whatever else its manifest says', () => {
  expect(otherGround(began, { ...began, parameters: 10, started: 'later' })).toBeUndefined();
});

test('what its bits depend on is named where it is another', () => {
  expect(otherGround(began, { ...began, node: 'v22.1.0' })).toBe(
    'another version of Node.js (v22.1.0) than when the run began (v20.20.0)',
  );
  const { block: _, ...without } = began;
  expect(otherGround(began, { ...without, dpfl: '0.2.0' })).toBe(
    "another version of dpfl (0.2.0) than when the run began (0.1.0), another block of channels that the processor's convolutions take (none) than when the run began (16)",
  );
});
