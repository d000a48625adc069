import { ConfigError, DataError } from '../errors.ts';

/**
 * Checks a stated `data.population` against the users that the data gives: epsilon is computed from K, so K must be real.
 * @throws ConfigError when they differ
 */
export function checkPopulation(stated: number | undefined, users: number, how: string): void {
  if (stated === undefined || stated === users) return;
  const relation = stated > users ? 'more than' : 'fewer than';
  throw new ConfigError(
    `data.population: ${stated} is ${relation} the ${users} users that ${how} gives; leave data.population out, or quote other populations with privacy.extrapolate`,
  );
}

/** @throws DataError unless `id` is one of the users 0 … population−1 */
export function checkUser(id: number, population: number): void {
  if (!Number.isInteger(id) || id < 0 || id >= population)
    throw new DataError(`user ${id} does not exist; users are 0 to ${population - 1}`);
}
