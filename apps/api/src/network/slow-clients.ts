import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface Patience {
  /** From one look at the connections to the next, in milliseconds. */
  checkMs: number;
  /** Who has an answer waiting has to take so many bytes in so many milliseconds. */
  leastBytes: number;
  withinMs: number;
}

/** Slower than any network that still works; what is not taken waits in the memory of this process. */
export const usualPatience: Patience = { checkMs: 5_000, leastBytes: 32 * 1024, withinMs: 30_000 };

interface Waiting {
  since: number;
  /** Bytes that were taken by then. */
  taken: number;
}

/** Drops clients that ask, and then don't take what they are answered, or take it drop by drop. */
export function dropSlowClients(server: Server, { checkMs, leastBytes, withinMs }: Patience): void {
  const open = new Map<Socket, Waiting | null>();
  const add = (socket: Socket) => {
    open.set(socket, null);
    socket.once('close', () => open.delete(socket));
  };
  // Of an encrypted connection what is waiting is known above TLS.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', add);

  const look = () => {
    const now = performance.now();
    for (const [socket, waiting] of open) {
      if (socket.writableLength === 0) open.set(socket, null);
      else if (waiting === null) open.set(socket, { since: now, taken: takenBy(socket) });
      else if (now - waiting.since < withinMs) continue;
      else if (takenBy(socket) - waiting.taken < leastBytes) socket.destroy();
      else open.set(socket, { since: now, taken: takenBy(socket) });
    }
  };
  const timer = setInterval(look, checkMs).unref();
  server.once('close', () => clearInterval(timer));
}

const takenBy = (socket: Socket) => socket.bytesWritten - socket.writableLength;
