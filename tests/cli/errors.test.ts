import { describe, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { reportError } from '../../cli/errors.ts';
import { ConfigError, DataError } from '../../errors.ts';

function printed(error: unknown): { code: number; text: string } {
  let text = '';
  const code = reportError(error, {
    write: (chunk: string) => {
      text += chunk;
    },
  });
  return { code, text };
}

describe('errors on the command line', () => {
  test('a mistake of the user is one line without a stack, exit 2', () => {
    expect(printed(new DataError('a.wav: not a WAV file'))).toEqual({ code: 2, text: 'dpfl: a.wav: not a WAV file\n' });
  });

  test('several mistakes are one prefixed line each', () => {
    expect(printed(new ConfigError('x.yaml:1: a\nx.yaml:2: b')).text).toBe('dpfl: x.yaml:1: a\ndpfl: x.yaml:2: b\n');
  });

  test('anything else is a bug: stack and exit 1', () => {
    const { code, text } = printed(new TypeError('undefined is not a function'));
    expect(code).toBe(1);
    expect(text).toMatch(/TypeError: undefined is not a function\n\s+at /);
    expect(text).toContain('this is a bug in dpfl');
    expect(printed('a thrown string').text).toContain('a thrown string');
  });

  test('usage errors exit 2 and help exits 0; commander has printed both', () => {
    expect(printed(new CommanderError(1, 'commander.unknownOption', 'error: unknown option'))).toEqual({
      code: 2,
      text: '',
    });
    expect(printed(new CommanderError(0, 'commander.help', '(outputHelp)'))).toEqual({ code: 0, text: '' });
  });
});
