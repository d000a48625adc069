import { clearLine, cursorTo } from 'node:readline';
import {
  formatDuration,
  formatEpsilon,
  formatMetric,
  formatPercent,
  formatRate,
  metricOf,
  significant,
} from '../report/format.ts';
import type { EvaluationRecord, RoundRecord } from '../server/records.ts';
import type { RunProgress } from '../server/run.ts';

export type NoteLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a run tells the person who waits for it. Everything goes to one stream, normally stderr. */
export interface Progress extends Required<RunProgress> {
  /** Before the first round. */
  begin(plan: { readonly rounds: number }): void;
  /** One line worth keeping on the screen; how much it matters (default `info`) decides where lines are filtered. */
  note(line: string, level?: NoteLevel): void;
  /** Leaves the cursor on a fresh line; also after a failure. */
  end(): void;
}

/** The part of a `tty.WriteStream` that progress needs. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

interface Clock {
  /** Milliseconds. */
  now(): number;
}

/** Not a terminal: rounds without an evaluation are printed only when nothing was for this long. */
const QUIET_MS = 10_000;
/** A terminal: the status line is redrawn at most this often. */
const REDRAW_MS = 100;

/** A refreshed status line on a terminal, occasional plain lines anywhere else. Honours NO_COLOR. */
export function createProgress(
  stream: ProgressStream = process.stderr,
  environment: NodeJS.ProcessEnv = process.env,
  clock: Clock = Date,
): Progress {
  const terminal = stream.isTTY === true && environment.TERM !== 'dumb';
  return terminal ? terminalProgress(stream, !environment.NO_COLOR, clock) : plainProgress(stream, clock);
}

function plainProgress(stream: ProgressStream, clock: Clock): Progress {
  const tracker = new RunTracker();
  let lastLine = Number.NEGATIVE_INFINITY;
  return {
    begin: (plan) => tracker.begin(plan),
    onShard: () => {},
    onRound: (record) => {
      tracker.add(record);
      if (!record.evaluation && clock.now() - lastLine < QUIET_MS) return;
      lastLine = clock.now();
      stream.write(`${tracker.line(record)}\n`);
    },
    note: (line) => stream.write(`${line}\n`),
    end: () => {},
  };
}

function terminalProgress(stream: ProgressStream, colour: boolean, clock: Clock): Progress {
  const tracker = new RunTracker();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const tty = stream as NodeJS.WritableStream & ProgressStream;
  const erase = () => {
    if (!drawn) return;
    cursorTo(tty, 0);
    clearLine(tty, 0);
    drawn = false;
  };
  const draw = (text: string) => {
    erase();
    const fitting = text.slice(0, Math.max(20, (stream.columns ?? 80) - 1));
    stream.write(colour ? `\x1b[2m${fitting}\x1b[22m` : fitting);
    drawn = true;
    drawnAt = clock.now();
  };
  const keep = (line: string) => {
    erase();
    stream.write(`${line}\n`);
  };
  return {
    begin: (plan) => tracker.begin(plan),
    onShard: (round, done, total) => {
      if (clock.now() - drawnAt >= REDRAW_MS || done === total) draw(tracker.status(round, done / total));
    },
    onRound: (record) => {
      tracker.add(record);
      if (record.evaluation) keep(tracker.line(record));
      if (record.round < tracker.rounds) draw(tracker.status(record.round + 1));
      else erase();
    },
    note: keep,
    end: erase,
  };
}

/** Remembers what the lines need from the rounds so far. */
class RunTracker {
  rounds = 0;
  private evaluation: EvaluationRecord | undefined;
  private last: RoundRecord | undefined;
  /** Seconds and clients of the most recent rounds, for speed and time left. */
  private recent: { seconds: number; training: number; clients: number }[] = [];

  begin(plan: { readonly rounds: number }): void {
    this.rounds = plan.rounds;
  }

  add(record: RoundRecord): void {
    this.evaluation = record.evaluation ?? this.evaluation;
    this.last = record;
    if (record.round === 0) return;
    const { total, training } = record.seconds;
    this.recent = [...this.recent.slice(-19), { seconds: total, training, clients: record.cohort }];
  }

  /** One finished round: `round 10/40  loss 1.234  WER 45.1 %  ε 3.2  212 clients/s  2 min 31 s left`. */
  line(record: RoundRecord): string {
    return this.join(`round ${String(record.round).padStart(String(this.rounds).length)}/${this.rounds}`, record);
  }

  /** The round under way, with the figures of the last finished one. */
  status(round: number, done = 0): string {
    return this.join(`round ${round}/${this.rounds} (${Math.floor(100 * done)} %)`, this.last);
  }

  private join(head: string, record: RoundRecord | undefined): string {
    const parts = [head];
    if (record?.trainLoss != null) parts.push(`loss ${significant(record.trainLoss)}`);
    if (this.evaluation) {
      const metric = metricOf(this.evaluation);
      const label = metric.key === 'loss' ? 'test loss' : metric.label;
      parts.push(`${label} ${formatMetric(metric, this.evaluation)}`);
    }
    if (record?.epsilon != null) parts.push(`ε ${formatEpsilon(record.epsilon)}`);
    if (record && record.rejectedNonFinite > 0) {
      parts.push(`${formatPercent(record.rejectedNonFinite / record.cohort)} of deltas rejected`);
    }
    const seconds = sum(this.recent.map((each) => each.seconds));
    const training = sum(this.recent.map((each) => each.training));
    if (training > 0) parts.push(`${formatRate(sum(this.recent.map((each) => each.clients)) / training)} clients/s`);
    const left = this.rounds - (record?.round ?? 0);
    if (this.recent.length > 0 && left > 0) parts.push(`${formatDuration((left * seconds) / this.recent.length)} left`);
    return parts.join('  ');
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
