import { readFileSync } from 'node:fs';

/** Clock ticks per second in /proc, the same on all Linux machines. */
const TICKS = 100;

/** Ids of the processes that this one has started and that still run; none where there is no /proc. */
export function children(): number[] {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Seconds of processor time that this process and the given ones have used, to a hundredth; undefined where there is no /proc. */
export function processorSeconds(processes: readonly number[]): number | undefined {
  const { user, system } = process.cpuUsage();
  let seconds = (user + system) / 1e6;
  try {
    for (const id of processes) {
      // The name, in parentheses, may have spaces; user and system time are the 12th and 13th fields after it.
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      seconds += (Number(fields[11]) + Number(fields[12])) / TICKS;
    }
  } catch {
    return undefined;
  }
  return processes.length > 0 ? seconds : undefined;
}
