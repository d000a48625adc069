import type { ServerMessage } from '../proto/generated/dpfl/v1/ServerMessage.ts';

/** What went over the wire since the start, for whoever watches the server. Plain totals: nothing of a worker or a user. */
export class WireTally {
  /** Shards given to workers, again ones included. */
  shardsLeased = 0;
  /** Results of shards that were summed. */
  shardsAccepted = 0;
  /** Payload: training step and parameters sent, sums received; frames, TLS and rejected sums' leftovers not included. */
  bytesSent = 0;
  bytesReceived = 0;

  /** A message went out. */
  sent({ modelChunk, parametersChunk }: ServerMessage): void {
    this.bytesSent += modelChunk?.data?.length ?? parametersChunk?.chunk?.data?.length ?? 0;
  }
}
