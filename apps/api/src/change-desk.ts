import { PassThrough, type Readable } from 'node:stream';
import type { Change, Following, SecretReader } from '@keyferry/access';
import type { ChangeMessage } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';

/** Who follows the changes. */
interface Follower {
  tenantId: string;
  mayRead(path: string): boolean;
  /** Another text whenever what they may do has changed. */
  standing(): string;
  /** Finds out anew what they may do; rejects where they may not follow any more. */
  askAgain(): Promise<void>;
}

/** Sends clients what is out of date by now. */
export interface ChangeDesk {
  /** Server-sent events, until the client goes away, doesn't read them, may not have them, or the desk closes. */
  follow(follower: Follower): Promise<Readable>;
  close(): void;
}

const aliveMs = 1_000;
/** A client that lets so much wait has to begin anew. */
const mostWaitingBytes = 4 * 1024 * 1024;

interface Stream {
  out: PassThrough;
  follower: Follower;
  following: Following;
  /** As it was told last. */
  standing: string;
  asking: boolean;
}

export function createChangeDesk(secrets: SecretReader): ChangeDesk {
  const open = new Set<Stream>();
  let closed = false;
  const timer = setInterval(() => {
    for (const stream of open) void beat(stream);
  }, aliveMs);
  timer.unref();
  return {
    async follow(follower) {
      const out = new PassThrough();
      // What comes before the first message was sent comes after it.
      let early: Change[] | null = [];
      const following = await secrets.follow(follower.tenantId, (change) => {
        if (early) early.push(change);
        else tell(out, follower, change);
      });
      const stream = { out, follower, following, standing: follower.standing(), asking: false };
      open.add(stream);
      out.on('close', () => {
        following.stop();
        open.delete(stream);
      });
      send(out, { type: 'hello', position: `${following.position()}.${stream.standing}` });
      for (const change of early) tell(out, follower, change);
      early = null;
      if (closed) end(stream);
      return out;
    },
    close() {
      closed = true;
      clearInterval(timer);
      for (const stream of open) end(stream);
    },
  };
}

/** Says that nothing was missed, to whoever may follow still. */
async function beat(stream: Stream): Promise<void> {
  const { out, follower, following } = stream;
  if (stream.asking) return;
  stream.asking = true;
  try {
    const before = stream.standing;
    await follower.askAgain();
    if (out.destroyed || out.writableEnded) return;
    // What they keep they may not read any more, perhaps.
    stream.standing = follower.standing();
    if (stream.standing !== before) send(out, { type: 'flush' });
    if (following.isFresh()) send(out, { type: 'alive' });
  } catch (error) {
    // Where it can't be found out the client hears nothing, and knows what that means.
    if (error instanceof KeyferryError && refusals.has(error.code)) end(stream);
  } finally {
    stream.asking = false;
  }
}

const refusals: ReadonlySet<string> = new Set(['unauthorized', 'forbidden', 'tenant_suspended', 'tenant_not_found']);

/** A flush names no path: whatever it is for, it is for all. */
function tell(out: PassThrough, follower: Follower, change: Change): void {
  if (change.type === 'flush') send(out, change);
  else {
    const paths = change.paths.filter((path) => follower.mayRead(path));
    if (paths.length > 0) send(out, { type: 'changed', paths });
  }
}

function send(out: PassThrough, message: ChangeMessage): void {
  out.write(`data: ${JSON.stringify(message)}\n\n`);
  if (out.writableLength > mostWaitingBytes) out.destroy();
}

/** Nothing may be written to what was ended. */
function end({ out, following }: Stream): void {
  following.stop();
  out.end();
}
