import { randomBytes } from 'node:crypto';
import { forEachDespiteErrors } from '@keyferry/core';
import type { VaultBackend } from '../src/index.ts';
import { patient } from '../test/support.ts';
import { ConformanceContext } from './context.ts';
import { withField } from './fields.ts';
import type { ConformanceTarget, Settings } from './target.ts';

/** A real listing may show what is new only after minutes, and some cases look at several. */
const caseTimeoutMs = 20 * 60_000;

/** Of this run alone, since others may use the same vault, and since removed names may be kept for days. */
const folder = `keyferry-conformance/${randomBytes(4).toString('hex')}/`;

/**
 * The targets, and beside them a real server where the environment names one: KEYFERRY_CONFORMANCE_<KIND>_URL holds its
 * address, or `default` for the vendor's own, and KEYFERRY_CONFORMANCE_<KIND>_SETTINGS the settings as JSON.
 */
export function withReal(targets: readonly ConformanceTarget[]): readonly ConformanceTarget[] {
  const [first] = targets;
  if (first === undefined) return [];
  const name = `KEYFERRY_CONFORMANCE_${first.definition.kind.toUpperCase()}`;
  const url = process.env[`${name}_URL`];
  if (!url) return targets;
  const settings = parseSettings(process.env[`${name}_SETTINGS`] ?? '', `${name}_SETTINGS`);
  return [...targets, realTarget(first, url === 'default' ? settings : withField(settings, first.fields.address, url))];
}

function parseSettings(text: string, name: string): Settings {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words would show a part of the text, which holds credentials.
    throw new Error(`${name} must be the settings of a backend, as JSON`);
  }
}

/** Names that the grammar allows below a folder too, however long the separator is that stands for its slashes. */
const plainName = /^[\p{L}\p{N}](?!.*(--|\/\/)).{0,98}(?<=[\p{L}\p{N}])$/u;

/** Everything is made and removed through the backend itself, below a folder of each case's own. */
function realTarget(target: ConformanceTarget, settings: Settings): ConformanceTarget {
  const { definition } = target;
  const made = new Set<string>();
  let opened = 0;
  return {
    ...target,
    name: `${definition.kind}, a real one`,
    caseTimeoutMs,
    names: { ...target.names, allowed: target.names.allowed.filter((name) => plainName.test(name)) },
    definition: {
      ...definition,
      connect: async (config, context) => remembering(await definition.connect(config, context), made),
    },
    async open() {
      opened += 1;
      return {
        settings,
        prefix: `${folder}${opened}/`,
        [Symbol.asyncDispose]: () => removeAll(target, settings, made),
      };
    },
  };
}

/** The same backend, which notes each path before it is written; others than those of this run are refused ones. */
function remembering(backend: VaultBackend, made: Set<string>): VaultBackend {
  const put: VaultBackend['put'] = (path, ...rest) => {
    if (path.startsWith(folder)) made.add(path);
    return backend.put(path, ...rest);
  };
  return new Proxy(backend, {
    get(_proxied, name) {
      if (name === 'put') return put;
      const member: unknown = Reflect.get(backend, name);
      return typeof member === 'function' ? member.bind(backend) : member;
    },
  });
}

async function removeAll({ definition }: ConformanceTarget, settings: Settings, made: Set<string>): Promise<void> {
  if (made.size === 0) return;
  const config = definition.configSchema.parse(settings);
  const backend = await definition.connect(config, new ConformanceContext(definition.files?.(config) ?? []));
  try {
    await forEachDespiteErrors([...made], async (path) => {
      await backend.remove(path, patient);
      made.delete(path);
    });
  } finally {
    await backend.close();
  }
}
