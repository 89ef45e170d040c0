import type { BackendAnswer, CycleAnswer } from '@keyferry/contracts';
import { route } from '../api/route.ts';
import { followCycle } from '../cycles/follow-cycle.ts';
import { showProgress } from '../cycles/progress.ts';
import type { Output } from '../output/output.ts';

import type { House } from './house.ts';
import { pauseBackend, registerBackend, testBackend } from './register-backend.ts';
import type { GivenVault } from './settings.ts';
import { demoBackend, givenBackend, givenName } from './wanted-backend.ts';

/** Registers the backend of this run where it isn't yet, and runs a cycle of it to its end. */
export async function runFirstCycle(
  { api, demoVaultUrl, ownDatabase }: House,
  vault: GivenVault | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<{ backend: BackendAnswer; cycle: CycleAnswer }> {
  const demo = demoBackend(demoVaultUrl ?? '');
  const given = vault && givenBackend(vault);
  const registered = await registerBackend(api, given ?? demo);
  const { backend } = registered;
  const sync = () => api.post<CycleAnswer>(route`/federation/backends/${backend.id}/sync`);
  // At once, before a scheduler's own cycle can be over: its report is the one to show.
  const opened = await sync();
  if (given) await testBackend(api, registered);
  const absent = given ? demo.name : givenName;
  if (ownDatabase && (await pauseBackend(api, absent)))
    output.note(`The backend "${absent}" is paused: its vault is not part of this run.`);

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
