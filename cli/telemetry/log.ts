import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { TOKEN_VARIABLE } from '../../proto/token.ts';
import { LOG_LEVELS, type LogLevel } from '../commands/telemetry-options.ts';
import type { NoteLevel, Progress } from '../progress.ts';

/** A logger that writes one JSON object a line, at once, to stderr. What is called a secret is not written, wherever it stands. */
export function jsonLogger(
  level: LogLevel,
  name: string,
  stream: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  const secrets = ['token', 'key', TOKEN_VARIABLE, 'authorization'];
  return pino(
    {
      level,
      name,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((secret) => [secret, `*.${secret}`]), remove: true },
    },
    stream,
  );
}

/** A run's progress as log entries: a round is `info`, a shard `debug`. */
export function jsonProgress(logger: Logger): Progress {
  return {
    begin: ({ rounds }) => logger.info({ rounds }, 'federated training begins'),
    onShard: (round, done, total) => logger.debug({ round, done, total }, 'shard summed'),
    onRound: ({ round, cohort, contributed, rejectedNonFinite, trainLoss, epsilon, evaluation, faults, seconds }) =>
      logger.info(
        { round, cohort, contributed, rejectedNonFinite, trainLoss, epsilon, evaluation, faults, seconds },
        'round finished',
      ),
    note: (line, level = 'info') => logger[level](line),
    end: () => {},
  };
}

/** Progress for people without what is below `level`. */
export function quieterProgress(progress: Progress, level: LogLevel): Progress {
  const shows = (line: NoteLevel) => LOG_LEVELS.indexOf(line) >= LOG_LEVELS.indexOf(level);
  const rounds = shows('info');
  return {
    begin: (plan) => progress.begin(plan),
    onShard: (...shard) => (rounds ? progress.onShard(...shard) : undefined),
    onRound: (record) => (rounds ? progress.onRound(record) : undefined),
    note: (line, lineLevel = 'info') => (shows(lineLevel) ? progress.note(line, lineLevel) : undefined),
    end: () => progress.end(),
  };
}
