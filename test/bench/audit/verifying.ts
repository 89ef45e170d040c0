import { randomUUID } from 'node:crypto';
import { sealAuditLogs } from '@keyferry/pipeline';
import { createAuditWriter, defaultTenantId, verifyAudit } from '@keyferry/store';
import type { BenchSite } from '../bench-site.ts';
import type { Figure } from '../report.ts';

const rows = 1_000_000;
/** Of a group, as many readers make it. */
const batch = 100;
const keys = 1_000;
/** 200,000 rows a second. */
const mostMicroseconds = 5;

/** A log of a million rows: how fast it is written, sealed, and verified to its end. */
export async function benchVerifying({ services }: BenchSite, log: (line: string) => void): Promise<Figure[]> {
  const { store } = services;
  const write = async () => {
    const writer = createAuditWriter(store);
    for (let begun = 0; begun < rows; begun += batch) {
      const group = Array.from({ length: batch }, (_, index) => rowOf(begun + index));
      await writer.write(defaultTenantId, group);
    }
  };
  const written = await timeOf(write);
  const sealed = await timeOf(() => sealAuditLogs(services));
  const verified = await timeOf(async () => {
    const verification = verifyAudit(store, defaultTenantId, []);
    let result = await verification.next();
    while (!result.done) result = await verification.next();
    const { rows: checked, broken, unsealed } = result.value;
    if (broken || unsealed.rows > 0 || checked < rows) throw new Error('the log was not verified to its end');
  });
  for (const [what, time] of Object.entries({ written, sealed, verified }))
    log(`audit: ${Math.round(rows / (time / 1_000))} rows a second ${what}`);
  return [
    { name: 'audit.verify.row', value: (verified * 1_000) / rows, unit: 'µs', bound: mostMicroseconds },
    { name: 'audit.verify.rows', value: rows / (verified / 1_000), unit: '/s', bound: null },
    { name: 'audit.seal.rows', value: rows / (sealed / 1_000), unit: '/s', bound: null },
  ];
}

const rowOf = (index: number) => ({
  at: new Date(),
  actor: `service-${index % 20}`,
  action: 'secret.read',
  target: `team/providers/${index % keys}/key`,
  outcome: 'read' as const,
  requestId: randomUUID(),
  address: `192.0.2.${index % 20}`,
});

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
