import type { ScheduleConfig } from './config.ts';

/** The learning rate of central step t; steps count from 1. */
export type Schedule = (step: number) => number;

/**
 * The learning rate's course over central steps.
 *
 * `exponential-decay` is a staircase: `base` before step `start`, then base · factor^(⌊(t − start) / every⌋ + 1), so that
 * "decay 0.6 every 750 steps from step 750" (arXiv:2310.00098) multiplies by 0.6 at steps 750, 1500, 2250, …
 */
export function learningRateSchedule(base: number, config: ScheduleConfig): Schedule {
  if (config.kind === 'constant') return () => base;
  const { start, every, factor } = config;
  return (step) => (step < start ? base : base * factor ** (Math.floor((step - start) / every) + 1));
}
