import { type Metadata, status } from '@grpc/grpc-js';
import { bearsToken } from '../proto/token.ts';

/** Why a stream is refused before a single message of it is read, in the words the worker sees. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
}

/** Lines on refused streams in the log are at least this far apart: nobody fills a disk by knocking. */
const LOG_MILLISECONDS = 10_000;

/** Decides who may open a stream: whoever bears the run's token, while there is room. */
export class Admission {
  /** Streams refused since the start, for a wrong or missing token. */
  wrongTokens = 0;
  private readonly token: string | undefined;
  private readonly maxWorkers: number;
  private readonly log: (line: string) => void;
  private lastLine = Number.NEGATIVE_INFINITY;
  private unreported = 0;

  /**
   * @param token undefined lets everyone in
   * @param maxWorkers streams at a time
   */
  constructor(token: string | undefined, maxWorkers: number, log: (line: string) => void) {
    this.token = token;
    this.maxWorkers = maxWorkers;
    this.log = log;
  }

  /** Why the stream that `peer` opens with `metadata` is refused; undefined when it is welcome. */
  objection(metadata: Metadata, peer: string, openStreams: number): Refusal | undefined {
    if (this.token !== undefined && !bearsToken(metadata, this.token)) {
      this.wrongTokens += 1;
      const stated = metadata.get('authorization').length > 0 ? 'a wrong token' : 'no token';
      this.report(`a stream from ${peer} was refused: it bears ${stated}`);
      return {
        code: status.UNAUTHENTICATED,
        details: `the worker bears ${stated}; give it the run's token, by --token-file or DPFL_TOKEN`,
      };
    }
    if (openStreams >= this.maxWorkers) {
      this.report(`a stream from ${peer} was refused: ${openStreams} workers are connected already`);
      return { code: status.UNAVAILABLE, details: `the server has all ${this.maxWorkers} workers that it takes` };
    }
    return undefined;
  }

  /** Says that a connection or stream was turned away; when that happens all the time, how often it did. */
  report(line: string): void {
    const now = performance.now();
    if (now - this.lastLine < LOG_MILLISECONDS) {
      this.unreported += 1;
      return;
    }
    this.log(this.unreported === 0 ? line : `${line} (and ${this.unreported} others before)`);
    this.lastLine = now;
    this.unreported = 0;
  }
}
