import type { Backend } from '@keyferry/store';
import { expect, test } from 'vitest';
import { federate, placeAmong } from '../src/index.ts';

const settings = { mode: 'sync', sync_paths: ['**'], exclude_paths: [], path_mapping: [] } as const;
const backend = (name: string, changes: Partial<Backend> = {}) => ({ name, ...settings, ...changes }) as Backend;
const among = (...backends: Backend[]) => {
  const federated = federate(backends);
  return (path: string) => {
    const place = placeAmong(federated, path);
    return place && `${place.backend.name}: ${place.remotePath} (${place.mode})`;
  };
};

test('a rule of path_mapping goes before a name that is the same on both sides', () => {
  const mapped = backend('mapped', { path_mapping: [{ from: 'external/**', to: 'app/**' }] });
  const place = among(backend('same'), mapped);
  expect(place('external/db')).toBe('mapped: app/db (sync)');
});

test('what two backends would have is contested, and said so with both names', () => {
  expect(() => among(backend('one'), backend('two'))('a/b')).toThrow('"a/b" would be a path of "one" and "two".');
});

test('what sync_paths leave out, what is excluded, and what has another local path, is nowhere', () => {
  const narrow = backend('narrow', {
    sync_paths: ['app/*'],
    exclude_paths: ['app/private/**'],
    path_mapping: [{ from: 'external/**', to: 'app/**' }],
  });
  const place = among(narrow);
  expect(place('external/db')).toBe('narrow: app/db (sync)');
  expect(place('external/private/db')).toBeNull();
  expect(place('app/db')).toBeNull();
  expect(place('other/db')).toBeNull();
  expect(place('external/../db')).toBeNull();
});

test('the first rule that matches says the mode, else the backend does', () => {
  const place = among(
    backend('moving', {
      mode: 'proxy',
      path_mapping: [
        { from: 'external/team/**', to: 'app/team/**', mode: 'sync' },
        { from: 'external/**', to: 'app/**' },
      ],
    }),
  );
  expect(place('external/team/db')).toBe('moving: app/team/db (sync)');
  expect(place('external/db')).toBe('moving: app/db (proxy)');
});
