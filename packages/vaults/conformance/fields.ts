import type { Settings } from './target.ts';

/** Settings as they are, with another value in one field, named like `auth.token`; undefined takes it away. */
export function withField(settings: Settings, field: string, value: unknown): Settings {
  const [name = '', ...rest] = field.split('.');
  const inner = rest.length === 0 ? value : withField((settings[name] ?? {}) as Settings, rest.join('.'), value);
  const { [name]: _before, ...others } = settings;
  return inner === undefined ? others : { ...others, [name]: inner };
}
