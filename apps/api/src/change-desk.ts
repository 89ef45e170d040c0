import { PassThrough, type Readable } from 'node:stream';
import type { Change, Following, SecretReader } from '@keyferry/access';
import type { ChangeMessage } from '@keyferry/contracts';

/** Sends clients what is out of date by now. */
export interface ChangeDesk {
  /** Server-sent events, until the client goes away, doesn't read them, or the desk closes. */
  follow(tenantId: string): Promise<Readable>;
  close(): void;
}

const aliveMs = 1_000;
/** A client that lets so much wait has to begin anew. */
const mostWaitingBytes = 4 * 1024 * 1024;

export function createChangeDesk(secrets: SecretReader): ChangeDesk {
  const open = new Map<PassThrough, Following>();
  let closed = false;
  const send = (stream: PassThrough, message: ChangeMessage) => {
    stream.write(`data: ${JSON.stringify(message)}\n\n`);
    if (stream.writableLength > mostWaitingBytes) stream.destroy();
  };
  const timer = setInterval(() => {
    for (const [stream, following] of open) if (following.isFresh()) send(stream, { type: 'alive' });
  }, aliveMs);
  timer.unref();
  return {
    async follow(tenantId) {
      const stream = new PassThrough();
      // What comes before the first message was sent comes after it.
      let early: Change[] | null = [];
      const following = await secrets.follow(tenantId, (change) => {
        if (early) early.push(change);
        else send(stream, change);
      });
      open.set(stream, following);
      stream.on('close', () => {
        following.stop();
        open.delete(stream);
      });
      send(stream, { type: 'hello', position: following.position() });
      for (const change of early) send(stream, change);
      early = null;
      if (closed) end(stream, following);
      return stream;
    },
    close() {
      closed = true;
      clearInterval(timer);
      for (const [stream, following] of open) end(stream, following);
    },
  };
}

/** Nothing may be written to what was ended. */
function end(stream: PassThrough, following: Following): void {
  following.stop();
  stream.end();
}
