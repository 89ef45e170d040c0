import type { Resolved } from '@keyferry/access';
import { parseReference } from '@keyferry/core';
import type { ReadTold } from './audited-requests.ts';

type Told = ReadTold & { code: string | null };

/** What the audit log is told of references that were resolved: each path once for each thing that became of it. */
export function toldReferences(items: readonly Resolved[]): Told[] {
  const told = new Map<string, Told>();
  for (const item of items) {
    const target = targetOf(item.reference);
    if (target === null) continue;
    const code = 'error' in item ? item.error.code : null;
    told.set(`${code} ${target}`, { action: 'secret.read', target, code });
  }
  return [...told.values()];
}

/** Null for a text that stands for itself: nothing was read. */
function targetOf(text: string): string | null {
  try {
    const reference = parseReference(text);
    switch (reference.kind) {
      case 'key':
        return reference.path.normalize('NFC');
      case 'environment':
        return text;
      case 'plain':
        return null;
    }
  } catch {
    // It may be a secret after all.
    return 'an invalid reference';
  }
}
