import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';

/** What tells a process from every other, also from one of another host, another container or before a reboot. */
export const processIdentity = z.object({
  host: z.string(),
  pid: z.int().min(1),
  /** Identifies the boot of the machine and the namespace that gives `pid` its meaning; null where there is no /proc. */
  world: z.string().nullable(),
  /** When the process started, in ticks since the boot: a number given twice does not fool. Null where there is no /proc. */
  started: z.string().nullable(),
});
export type ProcessIdentity = z.infer<typeof processIdentity>;

/** This process. */
export function thisProcess(): ProcessIdentity {
  return { host: hostname(), pid: process.pid, world: worldHere(), started: startOf(process.pid) };
}

/** Whether `other` runs, as far as `self` can look it up on its own machine; undefined when it cannot. */
export function livesHere(other: ProcessIdentity, self: ProcessIdentity): boolean | undefined {
  if (other.host !== self.host || other.world !== self.world) return undefined;
  if (other.world !== null) return startOf(other.pid) === other.started;
  try {
    process.kill(other.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function worldHere(): string | null {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** Field 22 of /proc/<pid>/stat; the second field, a name in brackets, may hold spaces and brackets itself. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended and only waits to be noticed.
    return state === 'Z' || state === 'X' ? null : (rest[18] ?? null);
  } catch {
    return null;
  }
}
