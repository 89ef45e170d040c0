import { KeyferryError } from '@keyferry/core';
import type { Controls } from '@keyferry/emulators';
import type { Command } from 'commander';
import { addCommand, addGroup, type Host } from '../command.ts';
import { type DemoVault, homeOf, readHomeFile } from '../home.ts';
import type { Output } from '../output/output.ts';

const aPath = 'demo/openai/staging';

/** Changes in the demo vault, as its owner would make them there. Keyferry sees them in its next cycle. */
export function demoCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'demo', 'change secrets in the demo vault of `keyferry up`');

  addCommand(group, host, {
    usage: 'list',
    summary: 'list the demo vault’s secrets',
    example: 'demo list',
    async run({ output, env }) {
      const paths = await control(env, (vault, mount) => vault('paths', { mount }));
      output.answer({ items: paths }, () => paths.join('\n'));
    },
  });

  addCommand(group, host, {
    usage: 'put <path> <value>',
    summary: 'write a secret, or a new version of it',
    example: `demo put ${aPath} sk-new`,
    async run({ args: [path = '', value = ''], output, env }) {
      const data = { value };
      const { version } = await control(env, (vault, mount) => vault('put', { mount, path, data }));
      done(output, { path, version }, `${path} has version ${version} in the demo vault.`);
    },
  });

  addCommand(group, host, {
    usage: 'delete <path>',
    summary: 'delete a secret’s newest version, so that it can be restored',
    example: `demo delete ${aPath}`,
    async run({ args: [path = ''], output, env }) {
      await control(env, (vault, mount) => vault('delete', { mount, path }));
      done(output, { path, deleted: true }, `${path} is deleted in the demo vault.`);
    },
  });

  addCommand(group, host, {
    usage: 'restore <path>',
    summary: 'bring a deleted secret back',
    example: `demo restore ${aPath}`,
    async run({ args: [path = ''], output, env }) {
      await control(env, (vault, mount) => vault('undelete', { mount, path }));
      done(output, { path, deleted: false }, `${path} is back in the demo vault.`);
    },
  });
}

function done(output: Output, document: object, sentence: string): void {
  output.answer(document, () => sentence);
  output.note('Keyferry sees it in its next cycle: `keyferry sync demo --wait`.');
}

type Work<T> = (vault: Awaited<ReturnType<typeof controlOf>>, mount: string) => Promise<T>;

async function controlOf(address: DemoVault) {
  const { controlOver } = await import('@keyferry/emulators');
  return controlOver<Controls>({ url: address.url, controlToken: address.control_token });
}

async function control<T>(env: NodeJS.ProcessEnv, work: Work<T>): Promise<T> {
  const home = homeOf(env);
  const address = readHomeFile<DemoVault>(home.demoVault('hashicorp').address);
  if (!address) throw new KeyferryError('api_unavailable', `No demo vault has run in ${home.folder}.`);
  const { demoMount } = await import('@keyferry/emulators');
  const vault = await controlOf(address);
  try {
    return await work(vault, demoMount);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (message.startsWith('emulator control'))
      throw new KeyferryError('usage_invalid', `The demo vault refused: ${message.replace(/^.*?: /, '')}.`);
    throw new KeyferryError('api_unavailable', `The demo vault at ${address.url} does not answer.`);
  }
}
