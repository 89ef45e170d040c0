import { expect } from 'vitest';
import { callOperations } from '../../src/index.ts';
import type { Bench, Cases } from '../bench.ts';
import { withField } from '../fields.ts';
import { canary, credentialsOf, everythingShown } from '../silence.ts';
import type { Settings } from '../target.ts';

/** Fields and messages of a refusal, which shows no credential. */
function refusal({ target }: Bench, settings: Settings): string {
  const { success, error } = target.definition.configSchema.safeParse(settings);
  expect(success, 'whether such settings are accepted').toBe(false);
  const shown = everythingShown(error);
  for (const credential of credentialsOf(settings))
    expect(shown.includes(credential), 'whether the refusal shows a credential').toBe(false);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
}

const lastOf = (field: string) => field.split('.').at(-1) ?? field;

export const settings: Cases = {
  async 'settings that were checked once are accepted again as they are'(bench) {
    const { configSchema } = bench.target.definition;
    const checked = configSchema.parse((await bench.open()).settings);
    expect(configSchema.parse(JSON.parse(JSON.stringify(checked)))).toEqual(checked);
  },

  async 'an unknown field is refused by its name'(bench) {
    const { settings } = await bench.open();
    expect(refusal(bench, { ...settings, no_such_field: true })).toContain('no_such_field');
    expect(refusal(bench, withField(settings, 'auth.no_such_field', 'x'))).toContain('no_such_field');
  },

  async 'a field that is missing is named'(bench) {
    const { settings } = await bench.open();
    for (const field of ['auth', ...bench.target.fields.required])
      expect(refusal(bench, withField(settings, field, undefined)), field).toContain(lastOf(field));
  },

  async 'a field of another kind of value is named'(bench) {
    const { settings } = await bench.open();
    for (const field of [bench.target.fields.address, ...bench.target.fields.required])
      expect(refusal(bench, withField(settings, field, 42)), field).toContain(lastOf(field));
  },

  async 'two ways of logging in at once are refused, naming the second'(bench) {
    const { settings } = await bench.open();
    const { otherMethod } = bench.target.fields;
    const told = refusal(bench, { ...settings, auth: { ...(settings.auth as Settings), ...otherMethod } });
    for (const name of Object.keys(otherMethod)) expect(told).toContain(name);
  },

  async 'an unknown way of logging in is refused with those that there are'(bench) {
    const { settings } = await bench.open();
    const told = refusal(bench, withField(settings, 'auth.method', 'no-such-method'));
    expect(told).toContain('method');
    expect(told).toContain(String((settings.auth as Settings).method));
  },

  async 'an address of another machine without encryption is refused, and so is one with credentials in it'(bench) {
    const { settings } = await bench.open();
    const { address } = bench.target.fields;
    for (const url of [
      'http://vault.example.com:8200',
      'http://10.0.0.1',
      `https://user:${canary}@vault.example.com`,
      'vault',
    ]) {
      const told = refusal(bench, withField(settings, address, url));
      expect(told, url).toContain(lastOf(address));
      expect(told).not.toContain(canary);
    }
  },

  async 'what decides where credentials go is a destination'({ target }) {
    expect(target.definition.destination).toContain(target.fields.address.split('.')[0]);
    expect(target.definition.destination).not.toContain('auth');
  },

  async 'limits and policies are told'({ target }) {
    const { quotas, policies } = target.definition;
    for (const { operations, calls, seconds } of quotas) {
      expect(callOperations).toEqual(expect.arrayContaining([...operations]));
      expect(calls).toBeGreaterThan(0);
      expect(seconds).toBeGreaterThan(0);
    }
    expect(policies.read_only).not.toBe('');
    expect(policies.read_and_write).not.toBe(policies.read_only);
  },

  async 'a document of credentials gives the members of auth'(bench) {
    const { settings } = await bench.open();
    const { method, ...members } = settings.auth as { method: string };
    const given = bench.target.definition.credentials(method, JSON.stringify(members));
    const parsed = bench.target.definition.configSchema.safeParse({ ...settings, auth: { method, ...given } });
    expect(parsed.success).toBe(true);
  },

  async 'a document that holds no credentials is refused without a part of it'(bench) {
    const { settings } = await bench.open();
    const { method } = settings.auth as { method: string };
    for (const text of ['', `{"${canary}":`, `["${canary}"]`]) {
      try {
        // A method with a single secret may take any text for it.
        const given = bench.target.definition.credentials(method, text);
        expect(Object.values(given)).toEqual([text]);
      } catch (error) {
        expect(error).toMatchObject({ code: 'config_invalid' });
        expect(everythingShown(error)).not.toContain(canary);
      }
    }
  },

  async 'connecting makes no call yet'(bench) {
    const vault = await bench.open();
    const { requests } = vault.emulated;
    await vault.connect();
    expect(requests.total).toBe(0);
  },
};
