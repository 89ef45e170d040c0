import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes an empty folder that only we can enter. */
export function temporaryFolder(purpose: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `keyferry-${purpose}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
