import { invalid } from './answer.ts';
import type { Secret } from './store.ts';

const term = /^(?<field>name|labels\.[\w-]+|annotations\.[\w.-]+)(?<operator>[:=])(?<value>[\w.-]+|"[^"]*")$/;

/** The part of Google's filters that people use: terms of `name`, `labels.x` and `annotations.x`, all of which hold. */
export function filterOf(text: string): (secret: Secret) => boolean {
  const terms = text.split(/\s+AND\s+|\s+/).filter((part) => part !== '');
  const tests = terms.map((part) => {
    const groups = term.exec(part)?.groups;
    if (groups === undefined) throw invalid('Invalid filter.');
    const { field = '', operator = '', value: quoted = '' } = groups;
    const value = quoted.replace(/^"|"$/g, '');
    return (secret: Secret) => {
      const found = fieldOf(secret, field);
      return operator === '=' ? found === value : found?.includes(value) === true;
    };
  });
  return (secret) => tests.every((test) => test(secret));
}

function fieldOf(secret: Secret, field: string): string | undefined {
  if (field === 'name') return secret.id;
  const dot = field.indexOf('.');
  const map = field.startsWith('labels.') ? secret.labels : secret.annotations;
  return Object.hasOwn(map, field.slice(dot + 1)) ? map[field.slice(dot + 1)] : undefined;
}
