import type { KeyferryClient } from '@keyferry/client';
import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { referencesIn, valuesOf, withFile } from '../run/environment.ts';
import { runProgram } from '../run/program.ts';
import { readText } from './set-members.ts';

interface Options {
  envFile?: string;
  only?: string[];
  withToken?: boolean;
}

export function runCommand(program: Command, host: Host): void {
  addCommand<Options>(program, host, {
    usage: 'run <command...>',
    summary: 'start a program with each environment variable that is a `vault.` reference replaced by its value',
    example: 'run --env-file service.env -- ./serve --port 8080',
    options: (command) =>
      command
        .passThroughOptions()
        .option('--env-file <file>', 'add variables from a file; what is set already stays')
        .option('--only <names...>', 'resolve these variables alone')
        .option('--with-token', 'hand KEYFERRY_TOKEN on to the program'),
    async run({ options: { envFile, only, withToken }, args, env, client: open }) {
      const whole = envFile === undefined ? env : withFile(env, await readText(envFile));
      const references = referencesIn(whole, only);
      const values = Object.keys(references).length > 0 ? await resolved(open(), references) : {};
      // It opens every secret there is; the program was given those that it needs.
      const { KEYFERRY_TOKEN: token, ...rest } = whole;
      return await runProgram(args, { ...rest, ...values, ...(withToken && token && { KEYFERRY_TOKEN: token }) });
    },
  });
}

async function resolved(client: KeyferryClient, references: Record<string, string>) {
  try {
    return await valuesOf(client, references);
  } finally {
    client.close();
  }
}
