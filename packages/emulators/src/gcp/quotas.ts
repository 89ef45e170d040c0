import { errorInfo, Refusal } from './answer.ts';
import type { Method } from './route.ts';

/** Requests a minute and project; null is no limit. */
export interface GcpQuotas {
  access: number | null;
  read: number | null;
  write: number | null;
}

/** What Google publishes. */
export const publishedQuotas: GcpQuotas = { access: 90_000, read: 600, write: 600 };

const words: Record<keyof GcpQuotas, string> = {
  access: 'Access requests',
  read: 'Read requests',
  write: 'Write requests',
};

function kindOf(method: Method): keyof GcpQuotas {
  if (method === 'AccessSecretVersion') return 'access';
  return /^(List|Get)/.test(method) ? 'read' : 'write';
}

/** Limits in windows of one minute, each project its own. */
export class Quotas {
  readonly #now: () => number;
  #limits: GcpQuotas | null = null;
  #used = new Map<string, number>();
  #minute = -1;

  constructor(now: () => number) {
    this.#now = now;
  }

  set(quota: 'published' | Partial<GcpQuotas> | null): void {
    const none = { access: null, read: null, write: null };
    this.#limits = quota === null ? null : quota === 'published' ? publishedQuotas : { ...none, ...quota };
    this.#used.clear();
  }

  /** Throws for what is beyond the limit. */
  take(method: Method, projectNumber: string): void {
    const kind = kindOf(method);
    const limit = this.#limits?.[kind] ?? null;
    if (limit === null) return;
    const minute = Math.floor(this.#now() / 60_000);
    if (minute !== this.#minute) this.#used.clear();
    this.#minute = minute;
    const used = (this.#used.get(`${projectNumber} ${kind}`) ?? 0) + 1;
    this.#used.set(`${projectNumber} ${kind}`, used);
    if (used > limit) throw exceeded(kind, limit, projectNumber);
  }
}

function exceeded(kind: keyof GcpQuotas, limit: number, projectNumber: string): Refusal {
  const consumer = `project_number:${projectNumber}`;
  const service = 'secretmanager.googleapis.com';
  return new Refusal(
    'RESOURCE_EXHAUSTED',
    `Quota exceeded for quota metric '${words[kind]}' and limit '${words[kind]} per minute' of service '${service}' for consumer '${consumer}'.`,
    [
      errorInfo('RATE_LIMIT_EXCEEDED', 'googleapis.com', {
        service,
        consumer: `projects/${projectNumber}`,
        quota_limit_value: String(limit),
      }),
    ],
  );
}
