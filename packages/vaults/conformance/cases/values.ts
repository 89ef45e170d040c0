import { SecretValue } from '@keyferry/core';
import { expect } from 'vitest';
import { patient, readOne } from '../../test/support.ts';
import { type Bench, bytesOf, type Cases, put } from '../bench.ts';

const texts = {
  text: 'canary value',
  unicode: 'ключ 日本語 🔑 e\u0301 \u0000\u001f\u2028',
  'quotes and escapes': `"'\\\n\r\t{{}}<&>`,
  'white space alone': ' \n',
  'white space around': '\t canary ',
};

const binary = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28]);

export const values: Cases = {
  async 'names at the edge of the grammar are listed, read and confirmed'(bench) {
    const vault = await bench.open();
    const paths = bench.target.names.allowed.map(vault.at);
    for (const path of paths) await vault.write(path, path);
    const backend = await vault.connect();
    expect(await vault.paths(backend)).toEqual([...paths].sort());
    for (const path of paths) {
      expect(await bytesOf(backend, path), path).toEqual(vault.value(path).reveal());
      expect(await backend.confirm(path, patient), path).toBe('present');
    }
  },

  async 'a value arrives as it was stored, byte by byte'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    for (const [name, text] of Object.entries(texts)) {
      const path = vault.unused();
      await vault.write(path, text);
      expect(await bytesOf(backend, path), name).toEqual(vault.value(text).reveal());
    }
  },

  async 'a value that is no text arrives as it was stored'(bench) {
    if (bench.target.capabilities.values !== 'bytes') bench.skip('this vault holds no bytes');
    const vault = await bench.open();
    vault.emulated.put(vault.at('a'), binary);
    expect(await bytesOf(await vault.connect(), vault.at('a'))).toEqual(binary);
  },

  async 'the largest value arrives as it was stored'(bench) {
    const vault = await bench.open();
    const largest = largestOf(bench);
    vault.emulated.put(vault.at('a'), largest);
    const found = await bytesOf(await vault.connect(), vault.at('a'));
    expect(found.equals(largest)).toBe(true);
  },

  async 'an answer far larger than any secret is refused, and leaves the others alone'(bench) {
    const vault = await bench.open();
    const { emulated } = vault;
    for (const name of ['a', 'b']) await vault.write(vault.at(name), 'x');
    const backend = await vault.connect();
    await readOne(backend, vault.at('b'));
    const body = JSON.stringify({ canary: 'x'.repeat(20 * 1024 * 1024) });
    const fault = emulated.faults.inject({ effect: { kind: 'garbage', body }, ...emulated.match('read') });
    const { failureClass } = await vault.failure(readOne(backend, vault.at('a')));
    expect(fault.hits).toBe(1);
    expect(failureClass).toMatch(/invalid|too_large/);
    fault.remove();
    await readOne(backend, vault.at('b'));
  },

  async 'each written value is read as it was given'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    for (const [name, text] of Object.entries(texts)) {
      const path = vault.unused();
      await put(backend, path, vault.value(text));
      expect(await bytesOf(backend, path), name).toEqual(vault.value(text).reveal());
    }
  },

  async 'the largest value is written, and one byte more is too large, and is not there'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const largest = largestOf(bench);
    await put(backend, vault.at('largest'), new SecretValue(largest));
    expect((await bytesOf(backend, vault.at('largest'))).equals(largest)).toBe(true);
    const failure = await vault.failure(put(backend, vault.at('larger'), tooLarge(bench)));
    expect(failure).toMatchObject({ code: 'vault_too_large', failureClass: 'too_large' });
    expect(await backend.confirm(vault.at('larger'), patient)).toBe('absent');
  },

  async 'a value that is too large is not even sent'(bench) {
    const vault = await bench.openWritable();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    await vault.failure(put(backend, vault.at('larger'), tooLarge(bench)));
    expect(context.calls.write ?? 0).toBe(0);
  },

  async 'what is no value of this vault’s form is refused before anything is sent'(bench) {
    const { values } = bench.target.capabilities;
    if (values === 'bytes') bench.skip('this vault takes any bytes');
    const vault = await bench.openWritable();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    const wrong = [binary, ...(values === 'fields' ? ['canary', '["canary"]', '{"canary":', '', '42'] : [])];
    for (const bytes of wrong) {
      const failure = await vault.failure(put(backend, vault.at('a'), new SecretValue(Buffer.from(bytes))));
      expect(failure, String(bytes)).toMatchObject({ failureClass: 'invalid' });
    }
    expect(context.calls.write ?? 0).toBe(0);
    expect(await backend.confirm(vault.at('a'), patient)).toBe('absent');
  },

  async 'a value that is no text is written as it was given'(bench) {
    if (bench.target.capabilities.values !== 'bytes') bench.skip('this vault holds no bytes');
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    await put(backend, vault.at('a'), new SecretValue(binary));
    expect(await bytesOf(backend, vault.at('a'))).toEqual(binary);
  },

  async 'an empty value is carried, or refused before anything is sent'(bench) {
    const vault = await bench.openWritable();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    const empty = vault.value('');
    const refused = await put(backend, vault.at('a'), empty).then(
      () => null,
      (error: unknown) => error,
    );
    if (refused === null) expect(await bytesOf(backend, vault.at('a'))).toEqual(empty.reveal());
    else expect(refused).toMatchObject({ failureClass: 'invalid' });
    if (refused !== null) expect(context.calls.write ?? 0).toBe(0);
  },

  async 'names at the edge of the grammar are written, and others refused before anything is sent'(bench) {
    const vault = await bench.openWritable();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    for (const path of bench.target.names.allowed.map(vault.at)) {
      await put(backend, path, vault.value(path));
      expect(await bytesOf(backend, path), path).toEqual(vault.value(path).reveal());
    }
    const writes = context.calls.write;
    for (const path of bench.target.names.refused) {
      const failure = await vault.failure(put(backend, path, vault.value('canary')));
      expect(failure, path).toMatchObject({ failureClass: 'invalid' });
    }
    expect(context.calls.write).toBe(writes);
  },

  async 'a name that this vault cannot have is absent, or can’t be asked for, and no other secret is read for it'(
    bench,
  ) {
    const vault = await bench.open();
    for (const path of bench.target.names.allowed.map(vault.at)) await vault.write(path, 'x');
    const backend = await vault.connect();
    for (const path of bench.target.names.refused) {
      const { failureClass } = await vault.failure(readOne(backend, path));
      expect(failureClass, path).toMatch(/not_found|invalid/);
      const presence = await backend.confirm(path, patient).catch((error) => error.failureClass);
      expect(presence, path).toMatch(/absent|invalid/);
    }
  },
};

function largestOf(bench: Bench): Buffer {
  return valueOfSize(bench, bench.target.largestValue);
}

function tooLarge(bench: Bench): SecretValue {
  return new SecretValue(valueOfSize(bench, bench.target.largestValue + 1));
}

/** A value of exactly so many bytes. */
function valueOfSize({ target }: Bench, bytes: number): Buffer {
  const around = target.value('').length;
  const value = target.value('x'.repeat(bytes - around));
  if (value.length !== bytes) throw new Error('the target’s value adds more than a fixed frame');
  return value;
}
