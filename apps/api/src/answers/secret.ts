import { type HeldSecret, type SecretRead, secretText } from '@keyferry/access';
import type { SecretAnswer } from '@keyferry/contracts';
import { shownTime } from './key.ts';

type Unchanging = Omit<SecretAnswer, 'age' | 'stale'>;

/** What is the same in each answer, as JSON without the closing brace: it goes with the value it was made of. */
const written = new WeakMap<HeldSecret, string>();

/** The answer as JSON. Throws `field_not_found`. */
export function showSecret({ secret, age, stale }: SecretRead, field: string | null): string {
  const head = field === null ? (written.get(secret) ?? keep(secret)) : headOf(secret, field);
  return `${head},"age":${age},"stale":${stale}}`;
}

function keep(secret: HeldSecret): string {
  const head = headOf(secret, null);
  written.set(secret, head);
  return head;
}

function headOf(secret: HeldSecret, field: string | null): string {
  const { path, version, state, source, type, backend } = secret;
  const unchanging: Unchanging = {
    path,
    ...secretText(secret, field),
    version,
    remote_version: secret.remoteVersion,
    state,
    source,
    type,
    content_type: secret.contentType,
    expires_at: shownTime(secret.expiresAt),
    backend,
  };
  return JSON.stringify(unchanging).slice(0, -1);
}
