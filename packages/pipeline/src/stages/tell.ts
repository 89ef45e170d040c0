import { isServed, type KeyChange, type Outcome, outcomes } from '@keyferry/core';
import { type Issue, keyEvents, type NewEvent, type NewKeyChange } from '@keyferry/store';
import type { Decision } from './decide.ts';
import type { StageRun } from './stage-run.ts';

/** What the key's story tells of a decision that landed. That a key came to be is in its own row. */
export function changesOf({ known, write, pushed }: Decision): NewKeyChange[] {
  if (!known || !write) return [];
  const change = (word: KeyChange): NewKeyChange => ({
    keyId: known.id,
    change: word,
    from: known.state,
    to: write.state,
    version: write.version,
  });
  const moved = known.state !== write.state;
  return [
    ...(moved ? [change(write.state === 'expired' ? 'expired' : known.state === 'expired' ? 'renewed' : 'found')] : []),
    ...(write.ciphertext ? [change('rotated')] : []),
    ...(pushed ? [change('pushed')] : []),
  ];
}

export function eventsOf(run: StageRun, landed: Decision[], newlyFound: ReadonlySet<string>): NewEvent[] {
  const { backend, cycle } = run;
  const about = (type: Parameters<typeof keyEvents>[0], keys: Parameters<typeof keyEvents>[3]) =>
    keyEvents(type, backend, cycle.id, keys);
  const pathsWith = (outcome: Outcome) => landed.filter((one) => one.outcome === outcome).map(({ item }) => item.local);
  const rotated = landed.flatMap(({ item, known, write }) =>
    known && write?.ciphertext ? [{ path: item.local, from_version: known.version, to_version: write.version }] : [],
  );
  const expired = landed.filter(({ known, write }) => write?.state === 'expired' && known?.state !== 'expired');
  const invalid = landed.flatMap(({ item, known, finding }) => {
    const [problem] = finding?.rejected && newlyFound.has(item.remote) ? finding.problems : [];
    const served = known && isServed(known, run.services.now()) ? known.version : null;
    return problem ? [{ path: item.local, ...problem, served_version: served }] : [];
  });
  return [
    ...about('keys.created', pathsWith('added')),
    ...about('keys.rotated', rotated),
    ...about('keys.restored', pathsWith('restored')),
    ...about(
      'keys.expired',
      expired.map(({ item }) => item.local),
    ),
    ...about('keys.invalid', invalid),
  ];
}

export function countOutcomes(all: readonly Issue['outcome'][]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const count = all.filter((one) => one === outcome).length;
    if (count > 0) counts[outcome] = count;
  }
  return counts;
}
