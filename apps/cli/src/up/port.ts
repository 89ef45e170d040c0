import { createServer } from 'node:net';
import { KeyferryError } from '@keyferry/core';
import { freePort } from '@keyferry/embedded';

/** The port that `variable` asks for, or a usual one, or a free one in place of a usual one that is taken. */
export async function choosePort(
  host: string,
  usual: number,
  asked?: { variable: string; text: string },
): Promise<number> {
  if (asked === undefined) return (await isFree(host, usual)) ? usual : await freePort();
  const port = Number(asked.text);
  if (!/^\d{1,5}$/.test(asked.text) || port > 65_535)
    throw new KeyferryError('config_invalid', `${asked.variable} has to be a number from 0 to 65535.`);
  if (port === 0) return await freePort();
  if (await isFree(host, port)) return port;
  throw new KeyferryError('setup_failed', `The port ${port} of ${asked.variable} can't be listened on: it is taken.`);
}

export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
