import { expect } from 'vitest';
import { listAll, patient, scope } from '../../test/support.ts';
import { type Bench, type Cases, full } from '../bench.ts';

/** Beyond that many, seeding and listing take seconds. */
const manySecrets = 5_000;

/** Lists this many, each once, and reads them, each with a value of its own. */
async function carries(bench: Bench, count: number, read: boolean): Promise<void> {
  const vault = await bench.open();
  const seeded = vault.emulated.seed(count);
  const backend = await vault.connect();
  const refs = await listAll(backend, vault.scope());
  const paths = refs.map(({ path }) => path);
  expect(paths.length).toBe(count);
  expect(paths).toEqual([...seeded].sort());
  if (!read) return;
  const values = new Map<string, string>();
  for await (const outcome of backend.fetch(refs, patient)) {
    if ('error' in outcome) throw outcome.error;
    values.set(outcome.path, outcome.reading.value.reveal().toString());
  }
  expect([...values.keys()].sort()).toEqual(paths);
  expect(new Set(values.values()).size).toBe(count);
}

/** The size of a page, or the case is skipped. */
function pageOf(bench: Bench, pages: number): number {
  const size = bench.needs(bench.target.pageSize, 'everything comes in one page');
  if (size * pages > manySecrets && !full) bench.skip(`a page holds ${size}: needs KEYFERRY_TEST_FULL=1`);
  return size;
}

export const listing: Cases = {
  async 'an empty vault has a complete listing of nothing'(bench) {
    const vault = await bench.open();
    expect(await vault.paths(await vault.connect())).toEqual([]);
  },

  async 'a single secret is listed, with what a reading of it says too'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('folder/a'), 'x');
    const [ref, ...others] = await listAll(await vault.connect(), vault.scope());
    expect(others).toEqual([]);
    expect(ref).toMatchObject({ path: vault.at('folder/a'), deleted: false });
  },

  async '1,001 secrets are listed, each once, and read'(bench) {
    await carries(bench, 1_001, true);
  },

  async '25,001 secrets are listed, each once, and read'(bench) {
    if (!full) bench.skip('needs KEYFERRY_TEST_FULL=1');
    await carries(bench, 25_001, true);
  },

  async 'one secret less than a page is listed'(bench) {
    await carries(bench, pageOf(bench, 1) - 1, false);
  },

  async 'exactly one page is listed'(bench) {
    await carries(bench, pageOf(bench, 1), false);
  },

  async 'one secret more than a page is listed'(bench) {
    await carries(bench, pageOf(bench, 1) + 1, false);
  },

  async 'exactly two pages are listed'(bench) {
    await carries(bench, pageOf(bench, 2) * 2, false);
  },

  async 'only what is below the folders of the scope is listed, though others begin alike'(bench) {
    const vault = await bench.open();
    const inside = ['one/a', 'one/deep/er/b', 'two/c'].map((name) => vault.at(name));
    for (const path of [...inside, ...['one', 'one-more/d', 'three/e', 'on/f'].map((name) => vault.at(name))])
      await vault.write(path, 'x');
    const backend = await vault.connect();
    const folders = ['one/', 'two/'].map((name) => vault.at(name));
    expect(await vault.paths(backend, { folders })).toEqual([...inside].sort());
    expect(await vault.paths(backend, { folders: [vault.at('no-such/')] })).toEqual([]);
    expect(await vault.paths(backend, { folders: [] })).toEqual([]);
  },

  async 'what the scope leaves out is in no page'(bench) {
    const vault = await bench.open();
    for (const name of ['a', 'b', 'folder/a', 'folder/b']) await vault.write(vault.at(name), 'x');
    const backend = await vault.connect();
    const wanted = await vault.paths(backend, { includes: (path) => path.endsWith('a') });
    expect(wanted).toEqual(['a', 'folder/a'].map((name) => vault.at(name)));
    expect(await vault.paths(backend, { includes: () => false })).toEqual([]);
  },

  async 'pages are bounded, and a consumer may stop after the first'(bench) {
    const vault = await bench.open();
    const seeded = vault.emulated.seed(1_201);
    const backend = await vault.connect();
    for await (const page of backend.list(scope(vault.scope()), patient)) {
      expect(page.length).toBeGreaterThan(0);
      expect(page.length).toBeLessThanOrEqual(Math.max(500, bench.target.pageSize ?? 0));
      break;
    }
    expect(await backend.confirm(seeded[0] ?? '', patient)).toBe('present');
  },

  async 'a revision stays while nothing changes, and is that of a reading'(bench) {
    if (bench.target.capabilities.revisions === 'read') bench.skip('revisions are seen by reading alone');
    // Written an hour ago: what has just changed may have no revision yet.
    let hours = -1;
    const vault = await bench.open({ now: () => Date.now() + hours * 3_600_000 });
    vault.emulated.put(vault.at('a'), vault.value('x').reveal(), { metadata: { owner: 'search' } });
    hours = 0;
    const backend = await vault.connect();
    const [first] = await listAll(backend, vault.scope());
    expect(first?.revision).not.toBeNull();
    const [again] = await listAll(await vault.connect(), vault.scope());
    expect(again).toEqual(first);
    for await (const outcome of backend.fetch(first ? [first] : [], patient))
      expect(outcome).toMatchObject({ reading: { revision: first?.revision } });
  },

  async 'a revision changes with the value'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    const seen = new Set<string>();
    const texts = ['one', 'two', 'three'];
    let unknown = 0;
    for (const text of texts) {
      await vault.write(vault.at('a'), text);
      const [ref] = await listAll(backend, vault.scope());
      if (ref?.revision == null) unknown += 1;
      else seen.add(ref.revision);
    }
    expect(seen.size + unknown).toBe(texts.length);
  },

  async 'a revision that is not wanted costs no call'(bench) {
    if (bench.target.capabilities.revisions !== 'probed') bench.skip('no revision costs a call of its own');
    const vault = await bench.open();
    vault.emulated.seed(20);
    const context = vault.context();
    await vault.paths(await vault.connect(vault.settings, context), { wantsRevision: () => false });
    expect(context.calls.metadata ?? 0).toBe(0);
  },
};
