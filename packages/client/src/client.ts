import { createApi } from './api.ts';
import { resolveConfiguration } from './configuration.ts';
import { clientError, type KeyferryClientError } from './error.ts';
import { createFeed } from './feed.ts';
import type { ChangeMessage } from './messages.ts';
import { type ClientOptions, settingsOf } from './options.ts';
import { createReader } from './reader.ts';
import { parseReference, referenceTo } from './reference.ts';
import { createWatches } from './watches.ts';

/** Every failure is a `KeyferryClientError`; no value is ever in one. */
export interface KeyferryClient {
  /**
   * The value of `vault.<path>`, `vault.<path>#<field>` or `env.<VAR>`; any other text is the value itself. Rejects where
   * there is no value, or an empty one.
   */
  resolve(reference: string): Promise<string>;
  /**
   * A copy of a configuration in which every text that is a reference is its value, in arrays and plain objects at any
   * depth. Rejects with one error whose `failures` name all that can't be resolved.
   */
  resolveAll<Configuration>(configuration: Configuration): Promise<Configuration>;
  /**
   * Calls back with the new value each time that a secret changes: a local path, or a reference to one. Not with the
   * value of now, and not while the value stays the same. Returns what ends it. That it can't be read is told to `onError`.
   */
  watch(path: string, callback: (value: string) => void | Promise<void>): () => void;
  /** Ends connections and watches, and forgets all values. Reading rejects from then on. */
  close(): void;
}

/** Makes a client. It connects when it is first asked for something. Throws `options_invalid`. */
export function createClient(options: ClientOptions): KeyferryClient {
  const settings = settingsOf(options);
  const { now, environment, cacheTtlMs } = settings;
  const closing = new AbortController();
  const closed = closing.signal;
  const api = createApi(settings, closed);
  const reader = createReader(api, settings);
  const watches = createWatches({
    read: resolve,
    validFor: (reference) => (reader.get(reference)?.validUntil ?? now() + cacheTtlMs) - now(),
    onError: tell,
  });
  const feed = createFeed(api, now, closed, {
    onMessage(message: ChangeMessage) {
      reader.onMessage(message);
      watches.onMessage(message);
    },
    onError: tell,
  });

  function resolve(text: string): Promise<string> {
    const entry = reader.get(text);
    if (entry !== undefined) {
      const at = now();
      if (at < entry.validUntil && at < feed.trustedUntil) return entry.ready;
    }
    return settle(text);
  }

  async function settle(text: string): Promise<string> {
    if (closed.aborted) throw clientError('client_closed', 'The client was closed.');
    if (typeof text !== 'string') throw clientError('reference_invalid', 'A reference has to be a text.');
    const reference = parseReference(text);
    switch (reference.kind) {
      case 'plain':
        return text;
      case 'environment':
        return variable(reference.variable, text);
      case 'secret':
        // What is asked for again is worth following. What is asked for once is not, and holds no process up.
        if (reader.get(text)) feed.start();
        return await reader.read(text, reference.path);
    }
  }

  function variable(name: string, reference: string): string {
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value) return value;
    const what = value === undefined ? 'is not set' : 'is empty';
    throw clientError('reference_unresolved', `The environment variable ${name} ${what}.`, reference);
  }

  function tell(error: KeyferryClientError): void {
    try {
      settings.onError(error);
    } catch {
      // Whoever is told of errors has nobody to tell of their own.
    }
  }

  return {
    resolve,
    resolveAll: (configuration) => resolveConfiguration(configuration, resolve),
    watch(path, callback) {
      if (closed.aborted) throw clientError('client_closed', 'The client was closed.');
      const text = referenceTo(path);
      const reference = parseReference(text);
      if (reference.kind !== 'secret') throw clientError('reference_invalid', 'Only secrets can be watched.');
      feed.start();
      return watches.add(text, reference.path, callback);
    },
    close() {
      closing.abort();
      watches.clear();
      reader.clear();
    },
  };
}
