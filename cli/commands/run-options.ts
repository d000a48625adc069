import type { Command } from 'commander';
import { ConfigError } from '../../errors.ts';

/** The options that `run` and `server` share. */
export interface RunOptions {
  readonly set?: readonly string[];
  readonly output?: string;
  readonly resume?: string;
  readonly json?: boolean;
  readonly waitForWorkers?: string;
}

/** Adds `--set`, `--output`, `--resume` and `--json` to a command. */
export function addRunOptions(command: Command): Command {
  return command
    .option('--set <key=value>', 'change one key of the file: dotted key, YAML value; repeatable', collect)
    .option('--output <dir>', 'parent of the run directory (the key output)')
    .option('--resume <run dir>', 'continue a stopped run from its last checkpoint; takes the place of <config>')
    .option(
      '--wait-for-workers <seconds>',
      'end the run when no worker is connected for this long (the key federation.waitForWorkersSeconds)',
    )
    .option('--json', 'print one JSON object on stdout when the run ends (progress stays on stderr)');
}

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** Appended to the help of `run` and `server`. */
export const OVERRIDE_HELP = `
--set in detail:
  --set federation.rounds=10                     a number
  --set privacy.noise.multiplier=0.8             a dotted key reaches into sections
  --set 'optimizer={kind: sgd, learningRate: 1}' a whole section
  --set local.steps= --set local.epochs=1        an empty value removes a key
  --set data.path=/data/fsdd                     paths given here are relative to the current directory,
                                                 paths in the file to the file`;

/** Keys that may differ when a run is continued; the server refuses all others (server/config-hash.ts). */
const RESUMABLE_KEYS = [
  'federation.rounds',
  'federation.workers',
  'federation.leaseSeconds',
  'federation.silenceSeconds',
  'federation.waitForWorkersSeconds',
  'evaluation',
  'checkpoint',
  'privacy.extrapolate',
];

/**
 * Which configuration file to read and how to change it.
 * A resumed run uses the resolved configuration in its own directory, so that it continues exactly what it began.
 * @throws ConfigError unless exactly one of `config` and `--resume` is given, or when `--set` would change a resumed run
 */
export function configSource(config: string | undefined, options: RunOptions): { file: string; overrides: string[] } {
  const waiting = options.waitForWorkers;
  const changes = [
    ...(options.set ?? []),
    ...(waiting === undefined ? [] : [`federation.waitForWorkersSeconds=${waiting}`]),
  ];
  if (options.resume === undefined) {
    if (config === undefined) throw new ConfigError('no configuration given; name a YAML file, or --resume <run dir>');
    // JSON strings are YAML strings, whatever characters the directory name has
    const output = options.output === undefined ? [] : [`output=${JSON.stringify(options.output)}`];
    return { file: config, overrides: [...changes, ...output] };
  }
  if (config !== undefined) {
    throw new ConfigError(`--resume: the run brings its own config.yaml; leave out '${config}'`);
  }
  if (options.output !== undefined) {
    throw new ConfigError('--resume: a run continues in its own directory; leave out --output');
  }
  for (const text of changes) {
    const key = text.split('=', 1)[0].trim();
    if (!RESUMABLE_KEYS.some((allowed) => key === allowed || key.startsWith(`${allowed}.`))) {
      throw new ConfigError(
        `--set ${key}: cannot change when a run is resumed (only ${RESUMABLE_KEYS.join(', ')} can); start a new run`,
      );
    }
  }
  return { file: `${options.resume}/config.yaml`, overrides: [...changes] };
}
