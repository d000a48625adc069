/** Jest runs the TypeScript sources as native ES modules; swc strips the types. */
export default {
  testEnvironment: '<rootDir>/tests/support/node-environment.mjs',
  // End-to-end tests mostly wait for processes: use every core.
  maxWorkers: '100%',
  reporters: ['default', '<rootDir>/tests/support/closing-line.mjs'],
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
  // A busy machine makes a test slow, not wrong: what hangs is still found.
  testTimeout: 30_000,
  modulePathIgnorePatterns: ['<rootDir>/dist'],
};
