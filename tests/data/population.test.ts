import { describe, expect, test } from '@jest/globals';
import { checkPopulation, checkUser } from '../../data/population.ts';
import { ConfigError, DataError } from '../../errors.ts';

describe('a stated population', () => {
  test('may be left out or right', () => {
    expect(() => checkPopulation(undefined, 36, 'data.takesPerUser 5')).not.toThrow();
    expect(() => checkPopulation(36, 36, 'data.takesPerUser 5')).not.toThrow();
  });

  test('is refused when the data has another number of users', () => {
    expect(() => checkPopulation(37, 36, 'data.takesPerUser 5')).toThrow(ConfigError);
    expect(() => checkPopulation(37, 36, 'data.takesPerUser 5')).toThrow(/37 is more than the 36 users/);
    expect(() => checkPopulation(10, 36, 'data.takesPerUser 5')).toThrow(/10 is fewer than the 36 users/);
  });
});

test('only users 0 … K−1 exist', () => {
  expect(() => checkUser(0, 3)).not.toThrow();
  expect(() => checkUser(2, 3)).not.toThrow();
  for (const id of [-1, 3, 1.5, Number.NaN]) expect(() => checkUser(id, 3)).toThrow(DataError);
});
