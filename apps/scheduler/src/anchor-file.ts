import { open } from 'node:fs/promises';
import type { KeptAnchor } from '@keyferry/pipeline';

/** Adds an anchor to a file, one JSON object a line. Resolves once the disk has it. */
export async function appendAnchor(file: string, anchor: KeptAnchor): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  try {
    await handle.appendFile(`${JSON.stringify(anchor)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
