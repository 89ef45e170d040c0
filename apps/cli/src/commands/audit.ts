import {
  type AuditEntryAnswer,
  auditOutcomes,
  type RetentionAnswer,
  type VerifiedAnswer,
  type VerifyLine,
} from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { type Command, Option } from 'commander';
import type { ApiClient } from '../api/client.ts';
import { readPages } from '../api/pages.ts';
import { readAnchors } from '../audit/anchors.ts';
import { verifiedText } from '../audit/describe.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { table } from '../output/table.ts';

interface Filter {
  actor?: string;
  action?: string;
  path?: string;
  prefix?: string;
  outcome?: string;
  request?: string;
  since?: string;
  until?: string;
}

const filters = (command: Command) =>
  command
    .option('--actor <name>', 'by this one')
    .option('--action <action>', 'such as secret.read')
    .option('--path <path>', 'of this local path, or whatever else was done it to')
    .option('--prefix <text>', 'of paths that begin with this')
    .addOption(new Option('--outcome <outcome>', 'with this outcome').choices(auditOutcomes))
    .option('--request <id>', 'of this request')
    .option('--since <time>', 'from then on, as 2026-11-22T08:00:00Z')
    .option('--until <time>', 'before then');

const queryOf = ({ actor, action, path, prefix, outcome, request, since, until }: Filter) => ({
  actor,
  action,
  path,
  prefix,
  outcome,
  request_id: request,
  since,
  until,
});

export function auditCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'audit', 'who did what, who read what, and proof that nobody altered it');

  addCommand<Filter & { limit: number }>(group, host, {
    usage: 'list',
    summary: 'list what was done and read, newest first',
    example: 'audit list --path bifrost/openai/production --outcome read',
    options: (command) => filters(command).option('--limit <number>', 'at most so many', count, 100),
    async run({ options, output, api }) {
      const page = await readPages<AuditEntryAnswer>(api(), '/audit', options.limit, queryOf(options));
      const rows = page.items.map(({ at, actor, action, target, outcome, address }) => [
        at,
        actor,
        action,
        target,
        outcome,
        address,
      ]);
      const head = ['AT', 'ACTOR', 'ACTION', 'TARGET', 'OUTCOME', 'FROM'];
      output.answer(page, () => (rows.length > 0 ? table(output, head, rows) : 'There is no such entry.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them, and `audit export` all.');
    },
  });

  addCommand<Filter>(group, host, {
    usage: 'export',
    summary: 'print what was done and read until now as JSON lines, oldest first',
    example: 'audit export --since 2026-11-01T00:00:00Z > november.jsonl',
    options: filters,
    async run({ options, output, api }) {
      const lines = api().lines<AuditEntryAnswer>('/audit/export', { method: 'GET', query: queryOf(options) });
      for await (const line of lines) output.answer(line, () => JSON.stringify(line));
    },
  });

  addCommand<{ anchors?: string }>(group, host, {
    usage: 'verify',
    summary: 'compute the chain of hashes anew; exit code 1 if anything was altered, is missing or at another place',
    example: 'audit verify --anchors anchors.jsonl',
    options: (command) => command.option('--anchors <file>', 'compare with anchors, as the scheduler writes them'),
    async run({ options, output, api }) {
      const anchors = options.anchors === undefined ? [] : await readAnchors(options.anchors);
      const verified = await verification(api(), anchors);
      output.answer(verified, () => verifiedText(output, verified, anchors.length));
      return verified.broken === null ? exitCodes.ok : exitCodes.failed;
    },
  });

  addCommand<{ set?: string }>(group, host, {
    usage: 'retention',
    summary: 'show or set how long entries are kept',
    example: 'audit retention --set 365d',
    options: (command) => command.option('--set <duration>', 'from 1d on'),
    async run({ options: { set }, output, api }) {
      const answer =
        set === undefined
          ? await api().get<RetentionAnswer>('/audit/retention')
          : await api().patch<RetentionAnswer>('/audit/retention', { retention: set });
      output.answer(answer, () => `Entries of the audit log are kept for ${answer.retention}.`);
    },
  });
}

async function verification(api: ApiClient, anchors: readonly object[]): Promise<VerifiedAnswer> {
  for await (const line of api.lines<VerifyLine>('/audit/verify', { body: { anchors } }))
    if ('verified' in line) return line.verified;
  throw new KeyferryError('api_unavailable', 'The verification broke off before its end.');
}
