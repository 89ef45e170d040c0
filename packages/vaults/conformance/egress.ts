import { lookup } from 'node:dns';
import { buildConnector } from 'undici';
import type { VaultEgress } from '../src/index.ts';

/** Anywhere: emulators listen on this machine. */
export const openEgress: VaultEgress = {
  connector: (socket) => buildConnector(socket),
  assert() {},
  lookup: () => (host, options, callback) => lookup(host, options, callback),
};
