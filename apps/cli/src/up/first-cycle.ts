import type { BackendAnswer, CycleAnswer } from '@keyferry/contracts';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';
import { followCycle } from '../cycles/follow-cycle.ts';
import { showProgress } from '../cycles/progress.ts';
import type { Output } from '../output/output.ts';
import { demoNames } from './demo-vaults.ts';
import type { House } from './house.ts';
import { pauseBackend, registerBackend, testBackend } from './register-backend.ts';
import type { GivenVault } from './settings.ts';
import { givenBackend, givenName, type WantedBackend } from './wanted-backend.ts';

export interface FirstCycle {
  backend: BackendAnswer;
  cycle: CycleAnswer;
}

/** Registers the backends of this run where they aren't yet, and runs a cycle of each to its end. */
export async function runFirstCycles(
  { api, demoBackends, ownDatabase }: House,
  vault: GivenVault | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<FirstCycle[]> {
  const wanted = vault ? [givenBackend(vault)] : demoBackends;
  const absent = [givenName, ...demoNames].filter((name) => !wanted.some((backend) => backend.name === name));
  const cycles: FirstCycle[] = [];
  for (const backend of wanted) cycles.push(await runFirstCycle(api, backend, output, signal));
  for (const name of ownDatabase ? absent : [])
    if (await pauseBackend(api, name))
      output.note(`The backend "${name}" is paused: its vault is not part of this run.`);
  return cycles;
}

async function runFirstCycle(
  api: ApiClient,
  wanted: WantedBackend,
  output: Output,
  signal: AbortSignal,
): Promise<FirstCycle> {
  const registered = await registerBackend(api, wanted);
  const { backend } = registered;
  const sync = () => api.post<CycleAnswer>(route`/federation/backends/${backend.id}/sync`);
  // At once, before a scheduler's own cycle can be over: its report is the one to show.
  const opened = await sync();
  if (wanted.name === givenName) await testBackend(api, registered);

  output.note(`First cycle of "${backend.name}" ...`);
  const progress = showProgress(output);
  const follow = (id: string) => followCycle(api, id, progress.show, signal);
  try {
    const cycle = await follow(opened.id);
    // One that was open already worked on the settings of before.
    const outdated = new Date(opened.opened_at) < new Date(backend.updated_at);
    return { backend, cycle: outdated ? await follow((await sync()).id) : cycle };
  } finally {
    progress.end();
  }
}
