import { afterAll, expect, test } from '@jest/globals';
import { describeBuilt, endCommands, dpfl as start } from '../support/command-line.ts';

const dpfl = (...args: string[]) => start(args, { seconds: 20 });

const QUESTION = '--noise-multiplier 0.6144 --expected-cohort 204800 --population 69506000 --steps 2034 --delta 1e-9';

describeBuilt('the built command line', () => {
  afterAll(endCommands);

  test('privacy epsilon answers on stdout and exits 0', async () => {
    const { status, stdout, stderr } = await dpfl('privacy', 'epsilon', ...QUESTION.split(' '));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^epsilon ≈ 6\.3\n/);
    expect(stdout).toMatch(/\nby RDP, as most papers report it: epsilon ≈ 7\.2 /);
  });

  test('--json prints one JSON object and nothing else', async () => {
    const { stdout } = await dpfl('privacy', 'epsilon', ...QUESTION.split(' '), '--accountant', 'rdp', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ epsilonLower: null, accountant: 'rdp', order: 4 });
  });

  test.each([
    [['privacy', 'epsilon', ...QUESTION.split(' '), '--sampling-rate', '0.5'], /^dpfl: --sampling-rate: cannot be/],
    [['privacy', 'epsilon'], /^dpfl: --noise-multiplier: missing\n$/],
    [['privacy', 'epsilo'], /^dpfl: unknown command 'epsilo' \(did you mean epsilon\?\)\n$/i],
    [['run', 'nowhere.yaml'], /^dpfl: nowhere\.yaml: no such file/],
    [['run', '--resum', 'x'], /^dpfl: unknown option '--resum' \(did you mean --resume\?\)\n$/i],
    [['report', 'nowhere'], /^dpfl: nowhere: no run here/],
    [['worker'], /^dpfl: required option '--server <host:port>' not specified\n$/],
  ])('dpfl %j exits 2 with one line on stderr', async (args, message) => {
    const { status, stdout, stderr } = await dpfl(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each([
    'run',
    'server',
    'worker',
    'report',
    'privacy epsilon',
    'model inspect',
    'model grad',
    'model check',
    'model compile',
  ])('%s --help has examples', async (name) => {
    const { status, stdout } = await dpfl(...name.split(' '), '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ dpfl ${name} `));
  });
});
