import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const main = process.env.DPFL_MAIN ?? fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const built = existsSync(main);
const whenBuilt = built ? describe : describe.skip;

function dpfl(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

const QUESTION = '--noise-multiplier 0.6144 --expected-cohort 204800 --population 69506000 --steps 2034 --delta 1e-9';

whenBuilt(`the built command line${built ? '' : ' (skipped: npm run build first)'}`, () => {
  test('privacy epsilon answers on stdout and exits 0', () => {
    const { status, stdout, stderr } = dpfl('privacy', 'epsilon', ...QUESTION.split(' '));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^epsilon = 7\.2\n/);
  });

  test('--json prints one JSON object and nothing else', () => {
    const { stdout } = dpfl('privacy', 'epsilon', ...QUESTION.split(' '), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ epsilonLower: null, accountant: 'rdp', order: 4 });
  });

  test.each([
    [['privacy', 'epsilon', ...QUESTION.split(' '), '--sampling-rate', '0.5'], /^dpfl: --sampling-rate: cannot be/],
    [['privacy', 'epsilon'], /^dpfl: required option '--noise-multiplier <Z>' not specified\n$/],
    [['privacy', 'epsilo'], /^dpfl: unknown command 'epsilo' \(did you mean epsilon\?\)\n$/i],
    [['run', 'nowhere.yaml'], /^dpfl: nowhere\.yaml: no such file/],
    [['run', '--resum', 'x'], /^dpfl: unknown option '--resum' \(did you mean --resume\?\)\n$/i],
    [['report', 'nowhere'], /^dpfl: nowhere: no run here/],
    [['worker'], /^dpfl: required option '--server <host:port>' not specified\n$/],
  ])('dpfl %j exits 2 with one line on stderr', (args, message) => {
    const { status, stdout, stderr } = dpfl(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each(['run', 'server', 'worker', 'report', 'privacy epsilon', 'model inspect'])(
    '%s --help has examples',
    (name) => {
      const { status, stdout } = dpfl(...name.split(' '), '--help');
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ dpfl ${name} `));
    },
  );
});
