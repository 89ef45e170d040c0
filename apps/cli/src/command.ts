import { createClient, type KeyferryClient } from '@keyferry/client';
import { type Command, InvalidArgumentError } from 'commander';
import { type ApiClient, createApiClient } from './api/client.ts';
import { locate, type Place, tenantHeaders } from './api/locate.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { createOutput, type Io, type Output } from './output/output.ts';
import { reportError } from './output/report-error.ts';

/** One run of a command. */
interface Run<Options> {
  options: Options;
  /** The arguments in their order; an optional one that isn't given is an empty text, unless there may be many of it. */
  args: readonly string[];
  output: Output;
  env: NodeJS.ProcessEnv;
  /** A command to type next, in backquotes: for the tenant that this one was for. */
  next(command: string): string;
  /** The API, looked up when it is first needed. */
  api(): ApiClient;
  /** What resolves references through it. */
  client(): KeyferryClient;
}

/** What all commands share. */
export interface Host {
  io: Io;
  /** Takes the exit code of the command that ran. */
  end(code: number): void;
}

export interface CommandSpec<Options> {
  /** Such as `show <backend>`. */
  usage: string;
  summary: string;
  /** A line to type, without the leading `keyferry`. */
  example: string;
  options?: (command: Command) => Command;
  /** Returns the exit code, 0 if nothing: one of `exitCodes`, or that of a program which ran. */
  run(run: Run<Options>): Promise<number | undefined>;
}

/** Adds a command that only holds others. */
export function addGroup(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary).helpCommand(false);
}

/** Adds a command with `--json`, an example in its help, and its errors reported. */
export function addCommand<Options = object>(parent: Command, host: Host, spec: CommandSpec<Options>): Command {
  const command = parent.command(spec.usage).description(spec.summary);
  spec.options?.(command);
  command.option('--json', 'print JSON, for machines');
  command.option('--tenant <tenant>', 'for this tenant, by name or id', tenantNamed);
  command.addHelpText('after', `\nExample:\n  $ keyferry ${spec.example}`);
  return command.action(async () => {
    const options: Options & { json?: boolean; tenant?: string } = command.opts();
    const output = createOutput(host.io, options.json === true);
    const args = command.processedArgs.flat().map((value: string | undefined) => value ?? '');
    const of = options.tenant === undefined ? '' : ` --tenant ${options.tenant}`;
    const next = (typed: string) => `\`keyferry ${typed}${of}\``;
    const env = options.tenant === undefined ? host.io.env : { ...host.io.env, KEYFERRY_TENANT: options.tenant };
    try {
      const client = () => createClient({ ...withTenant(locate(env)), environment: env });
      const api = () => createApiClient(locate(env));
      host.end((await spec.run({ options, args, output, env, next, api, client })) ?? exitCodes.ok);
    } catch (error) {
      reportError(host.io, output.json, error);
      host.end(exitCodeOf(error));
    }
  });
}

/** The client's settings for a place, whose tenant every request of it names. */
function withTenant({ url, token, tenant }: Place) {
  const named = tenantHeaders(tenant);
  const fetching: typeof fetch = (target, init) => fetch(target, { ...init, headers: { ...init?.headers, ...named } });
  return { url, token, fetch: fetching };
}

/** For options that take a number of items. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('It has to be a whole number above 0.');
  return Number(text);
}

/** A variable that isn't set must not let a command be for another tenant than was meant. */
function tenantNamed(text: string): string {
  if (text === '') throw new InvalidArgumentError('It has to be a name or an id.');
  return text;
}

/** For options that can be given more than once. */
export function collect(text: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), text];
}
