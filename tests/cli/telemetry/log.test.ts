import { describe, expect, test } from '@jest/globals';
import { jsonLogger } from '../../../cli/telemetry/log.ts';

function written(level: 'info' | 'warn') {
  const lines: string[] = [];
  const logger = jsonLogger(level, 'test', { write: (line) => void lines.push(line) });
  return { logger, lines };
}

describe('the JSON log', () => {
  test('writes entries from its level on', () => {
    const { logger, lines } = written('warn');
    logger.info('unheard');
    logger.warn({ round: 3 }, 'heard');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 'warn', time: expect.any(String), name: 'test', round: 3, msg: 'heard' }),
    ]);
  });

  test('leaves out what is called a secret', () => {
    const { logger, lines } = written('info');
    logger.info({ token: 's3cret', security: { token: 's3cret', key: 's3cret' }, kept: 1 }, 'options');
    expect(lines.join()).not.toContain('s3cret');
    expect(lines.join()).toContain('"kept":1');
  });
});
