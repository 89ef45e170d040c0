import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BareRequest } from './bare/main.ts';

export interface BareProcess {
  /** Milliseconds that the calls alone take. */
  run(request: BareRequest): Promise<number>;
  stop(): void;
}

export async function startBareProcess(): Promise<BareProcess> {
  const child = fork(fileURLToPath(new URL('./bare/main.ts', import.meta.url)), { stdio: 'inherit' });
  await once(child, 'message');
  return {
    async run(request) {
      const answered = once(child, 'message');
      child.send(request);
      const [answer] = (await answered) as [{ milliseconds: number } | { error: string }];
      if ('error' in answer) throw new Error(`the bare loop failed: ${answer.error}`);
      return answer.milliseconds;
    },
    stop: () => child.disconnect(),
  };
}
