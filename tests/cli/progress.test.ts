import { describe, expect, test } from '@jest/globals';
import { createProgress, type Progress } from '../../cli/progress.ts';
import type { EvaluationRecord, RoundRecord } from '../../server/records.ts';

function record(round: number, evaluation?: EvaluationRecord): RoundRecord {
  return {
    round,
    cohort: 100,
    contributed: 100,
    rejectedNonFinite: 0,
    trainLoss: 1.25,
    learningRate: 0.1,
    updateNorm: 1,
    epsilon: round / 10,
    evaluation,
    layers: { names: [], deltaNorms: [], clippedFraction: [], signalToNoise: [] },
    seconds: { total: 2, training: 1, evaluation: 0, server: 1 },
  };
}

const WER: EvaluationRecord = { examples: 10, loss: 3, wer: 0.451, cer: 0.2 };

function screen(isTTY: boolean, environment: NodeJS.ProcessEnv = {}, columns = 100) {
  let text = '';
  const clock = { time: 0, now: () => clock.time };
  const stream = {
    isTTY,
    columns,
    // the readline functions call write(text, callback)
    write: (chunk: string) => {
      text += chunk;
      return true;
    },
  };
  const progress: Progress = createProgress(stream, environment, clock);
  return { progress, clock, text: () => text };
}

describe('not a terminal', () => {
  test('prints evaluations, and other rounds only after ten quiet seconds', () => {
    const { progress, clock, text } = screen(false);
    progress.begin({ rounds: 40 });
    progress.onRound(record(0, WER));
    for (let round = 1; round <= 12; round++) {
      clock.time += 3_000;
      progress.onShard(round, 50, 100);
      progress.onRound(record(round, round === 5 ? WER : undefined));
    }
    progress.end();
    const rounds = text()
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, 11));
    expect(rounds).toEqual(['round  0/40', 'round  4/40', 'round  5/40', 'round  9/40']);
    expect(text()).not.toContain('\x1b');
    expect(text()).not.toContain('\r');
  });

  test('a line has loss, the metric of the task, epsilon, speed and time left', () => {
    const { progress, text } = screen(false);
    progress.begin({ rounds: 40 });
    progress.onRound(record(10, WER));
    // 30 rounds of 2 s are left; 100 clients took 1 s of training
    expect(text()).toBe('round 10/40  loss 1.25  WER 45.1 %  ε 1.0  100 clients/s  1 min 00 s left\n');
  });

  test('accuracy for classification, no epsilon without noise, rejected deltas are shown', () => {
    const { progress, text } = screen(false);
    progress.begin({ rounds: 1 });
    progress.onRound({
      ...record(1, { examples: 5, loss: 2, accuracy: 0.5 }),
      epsilon: null,
      trainLoss: null,
      rejectedNonFinite: 3,
    });
    expect(text()).toBe('round 1/1  accuracy 50.0 %  3.0 % of deltas rejected  100 clients/s\n');
  });
});

describe('a terminal', () => {
  test('redraws one line and keeps a line per evaluation', () => {
    const { progress, clock, text } = screen(true, { NO_COLOR: '1' });
    progress.begin({ rounds: 2 });
    progress.onShard(1, 10, 100);
    clock.time += 1_000;
    progress.onShard(1, 20, 100);
    progress.onRound(record(1));
    progress.onRound(record(2, WER));
    progress.end();
    expect(text()).toContain('round 1/2 (20 %)');
    const lines = text().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('round 2/2  loss 1.25  WER 45.1 %');
    expect(lines[1]).not.toContain('round');
  });

  test('does not redraw faster than ten times a second', () => {
    const { progress, text } = screen(true);
    progress.begin({ rounds: 2 });
    for (let done = 1; done < 100; done++) progress.onShard(1, done, 100);
    expect(text().split('round 1/2')).toHaveLength(2);
  });

  test('never writes a status longer than the line', () => {
    const { progress, text } = screen(true, { NO_COLOR: '1' }, 30);
    progress.begin({ rounds: 2 });
    progress.onRound(record(1));
    expect(text().length).toBe(29);
  });

  test('colour only without NO_COLOR', () => {
    const colourful = screen(true);
    colourful.progress.onShard(1, 1, 2);
    const plain = screen(true, { NO_COLOR: '1' });
    plain.progress.onShard(1, 1, 2);
    expect(colourful.text()).toContain('\x1b[2m');
    expect(plain.text()).not.toContain('\x1b[2m');
  });
});
