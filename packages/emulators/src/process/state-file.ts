import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** How Maps and Sets are written, so that a state needs no schema of its own beside its types. */
interface Tagged {
  $map?: [unknown, unknown][];
  $set?: unknown[];
}

/** Writes a snapshot, readable by the owner alone, all or nothing. */
export function saveState(snapshot: object, file: string): void {
  const text = JSON.stringify({ format: 1, ...snapshot }, (_name, value: unknown) => {
    if (value instanceof Map) return { $map: [...value] } satisfies Tagged;
    return value instanceof Set ? ({ $set: [...value] } satisfies Tagged) : value;
  });
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** A saved snapshot, or null if there is no file. Throws on a file that isn't one. */
export function readState(file: string): unknown {
  if (!existsSync(file)) return null;
  const saved = JSON.parse(readFileSync(file, 'utf8'), (_name, value: Tagged | null) => {
    if (Array.isArray(value?.$map)) return new Map(value.$map);
    return Array.isArray(value?.$set) ? new Set(value.$set) : value;
  }) as { format?: number };
  if (saved.format !== 1) throw new Error(`${file} is no saved state of this emulator`);
  return saved;
}
