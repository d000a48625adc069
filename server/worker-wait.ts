import { ProtocolError } from '../errors.ts';

/** Seconds without a worker before it is said: at the start of a run, workers take a moment to come. */
const NOTICE_SECONDS = 5;

/** A round without workers waits for some, says so, and ends after a set time. */
export class WorkerWait {
  readonly #seconds: number;
  readonly #notice: (line: string) => void;
  #since: number | undefined;
  #told = false;

  /** @param seconds how long to wait; infinite: for ever */
  constructor(seconds: number, notice: (line: string) => void) {
    this.#seconds = seconds;
    this.#notice = notice;
  }

  /**
   * To be called every few seconds of a round.
   * @param now milliseconds
   * @param workers how many are connected
   * @returns the error that ends the run, when it has waited long enough
   */
  check(now: number, workers: number): ProtocolError | undefined {
    if (workers > 0) {
      if (this.#told) this.#notice(`${workers} ${workers === 1 ? 'worker is' : 'workers are'} connected; going on`);
      this.#since = undefined;
      this.#told = false;
      return undefined;
    }
    this.#since ??= now;
    const waited = (now - this.#since) / 1000;
    if (waited >= this.#seconds) {
      return new ProtocolError(
        `no worker was connected for ${this.#seconds} s; start workers and resume the run from its last checkpoint, or set federation.waitForWorkersSeconds higher`,
      );
    }
    if (!this.#told && waited >= Math.min(NOTICE_SECONDS, this.#seconds / 2)) {
      this.#told = true;
      const limit = Number.isFinite(this.#seconds) ? ` up to ${this.#seconds} s` : '';
      this.#notice(`no worker is connected; waiting${limit} for one`);
    }
    return undefined;
  }
}
