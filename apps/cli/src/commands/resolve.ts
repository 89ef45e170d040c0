import { type KeyferryClient, KeyferryClientError } from '@keyferry/client';
import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { exitCodeOf, exitCodes } from '../exit-codes.ts';
import { printable } from '../output/printable.ts';

export function resolveCommand(group: Command, host: Host): void {
  addCommand(group, host, {
    usage: 'resolve <references...>',
    summary: 'print what references stand for, a line each in their order; nothing if one can’t be resolved',
    example: 'secrets resolve vault.bifrost/openai/production vault.bifrost/database#password',
    async run({ args, output, client: open }) {
      const client = open();
      const items = await Promise.all(args.map((text) => itemOf(client, text))).finally(client.close);
      const failures = items.flatMap(({ error }) => error ?? []);
      if (output.json)
        output.answer(
          { items: items.map(({ error, ...item }) => (error ? { ...item, error: shown(error) } : item)) },
          String,
        );
      else if (failures.length === 0) output.answer(null, () => items.map(({ value }) => value).join('\n'));
      for (const { reference, message, code } of failures)
        output.note(`${printable(reference === null ? message : `${reference}: ${message}`)} (${code})`);
      return failures[0] ? exitCodeOf(failures[0]) : exitCodes.ok;
    },
  });
}

interface Item {
  /** Null where the text is no reference, and could be a secret. */
  reference: string | null;
  value?: string;
  error?: KeyferryClientError;
}

async function itemOf(client: KeyferryClient, text: string): Promise<Item> {
  try {
    return { reference: text, value: await client.resolve(text) };
  } catch (error) {
    if (!(error instanceof KeyferryClientError)) throw error;
    return { reference: error.reference, error };
  }
}

const shown = ({ code, message, action }: KeyferryClientError) => ({ code, message, action });
