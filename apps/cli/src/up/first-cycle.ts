import type { BackendAnswer, CycleAnswer } from '@keyferry/contracts';
import { route } from '../api/route.ts';
import { followCycle } from '../cycles/follow-cycle.ts';
import { showProgress } from '../cycles/progress.ts';
import type { Output } from '../output/output.ts';
import { demoBackend, givenBackend, pauseAbsentBackend, registerBackend, testBackend } from './backend.ts';
import type { House } from './house.ts';
import type { GivenVault } from './settings.ts';

/** Registers the backend of this run where it isn't yet, and runs a cycle of it to its end. */
export async function runFirstCycle(
  { api, demoVaultUrl, ownDatabase }: House,
  vault: GivenVault | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<{ backend: BackendAnswer; cycle: CycleAnswer }> {
  const demo = demoBackend(demoVaultUrl ?? '');
  const given = vault && givenBackend(vault);
  const { backend, created } = await registerBackend(api, given ?? demo);
  // At once, before a scheduler's own cycle can be over: its report is the one to show.
  const opened = await api.post<CycleAnswer>(route`/federation/backends/${backend.id}/sync`);
  if (given) await testBackend(api, backend, created);
  const absent = given ? demo.name : 'vault';
  if (ownDatabase && (await pauseAbsentBackend(api, absent)))
    output.note(`The backend "${absent}" is paused: its vault is not part of this run.`);

  output.note(`First cycle of "${backend.name}" ...`);
  const progress = showProgress(output);
  const cycle = await followCycle(api, opened.id, progress.show, signal).finally(progress.end);
  return { backend, cycle };
}
