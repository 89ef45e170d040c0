import { randomUUID } from 'node:crypto';
import type { Reply } from '../http/send.ts';
import { json } from './answer.ts';

/** A refusal in the words of the directory: `code` is the number after AADSTS. */
export function refusal(status: number, error: string, code: number, why: string, now: number): Reply {
  const trace = randomUUID();
  const correlation = randomUUID();
  const timestamp = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  return json(status, {
    error,
    error_description: `AADSTS${code}: ${why} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  });
}
