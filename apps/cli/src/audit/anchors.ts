import { readFile } from 'node:fs/promises';
import { isObject, KeyferryError } from '@keyferry/core';

/** What the API takes at a time. */
const mostAnchors = 20_000;

/**
 * Anchors of a file with one JSON object a line, each a `number` and a `hash`: as the scheduler writes it, or events
 * `audit.anchored`. Of more than can be compared the newest are. Throws `usage_invalid`.
 */
export async function readAnchors(file: string): Promise<{ number: number; hash: string }[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new KeyferryError('usage_invalid', `The file ${file} can’t be read (${error.code}).`);
  });
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => anchorOf(line, `${file}, line ${index + 1}`)).slice(-mostAnchors);
}

function anchorOf(line: string, place: string): { number: number; hash: string } {
  const parsed = parse(line);
  const data = isObject(parsed) && isObject(parsed.data) ? parsed.data : parsed;
  if (!isObject(data) || !Number.isSafeInteger(data.number) || !/^[0-9a-f]{64}$/i.test(String(data.hash)))
    throw new KeyferryError('usage_invalid', `${place} is no anchor: it lacks the number or the hash.`);
  return { number: Number(data.number), hash: String(data.hash) };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
