import type { Socket } from 'node:net';

/** A socket that has not let a worker's Hello through yet, and when its time is up. */
interface Visitor {
  readonly socket: Socket;
  readonly expiry: NodeJS.Timeout;
  /** It asked for the server's health, as probes do every few seconds: not worth a line. */
  probe: boolean;
}

/**
 * Gives every new connection a little time to become a worker's. Whoever only connects, shakes hands half way, or sends no
 * valid Hello, is cut off, so that such connections cannot use up the server's.
 */
export class ConnectionGate {
  private readonly milliseconds: number;
  private readonly onTurnedAway: (line: string) => void;
  private readonly visitors = new Map<string, Visitor>();
  private readonly sockets = new Set<Socket>();

  /**
   * @param seconds from connecting to Hello
   * @param onTurnedAway hears of connections that ended without a worker's Hello
   */
  constructor(seconds: number, onTurnedAway: (line: string) => void) {
    this.milliseconds = seconds * 1000;
    this.onTurnedAway = onTurnedAway;
  }

  /** A connection was accepted. */
  arrived(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const expiry = setTimeout(() => {
      this.visitors.delete(peer);
      if (!visitor.probe) this.onTurnedAway(`a connection from ${peer} was cut: no worker said Hello`);
      socket.destroy();
    }, this.milliseconds);
    const visitor: Visitor = { socket, expiry, probe: false };
    this.visitors.set(peer, visitor);
    this.sockets.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      if (this.visitors.get(peer)?.socket !== socket) return;
      this.admitted(peer);
      if (visitor.probe) return;
      this.onTurnedAway(
        `a connection from ${peer} ended before a worker said Hello: a probe, or a handshake that failed`,
      );
    });
    // A peer that resets the connection in the middle of a handshake harms only itself.
    socket.on('error', () => undefined);
  }

  /** A worker said Hello on the connection from `peer` (`address:port`): it may stay. */
  admitted(peer: string): void {
    clearTimeout(this.visitors.get(peer)?.expiry);
    this.visitors.delete(peer);
  }

  /** The connection from `peer` asks for the server's health. It has no more time than any other without a worker. */
  probed(peer: string): void {
    const visitor = this.visitors.get(peer);
    if (visitor !== undefined) visitor.probe = true;
  }

  /** Cuts every connection. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
