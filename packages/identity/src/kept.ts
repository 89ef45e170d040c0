/** A map whose entries weigh so much at most: those used longest ago go first. */
export interface Kept<Value> {
  get(key: string): Value | undefined;
  /** An entry weighs 1 where nothing else is said. */
  set(key: string, value: Value, weight?: number): void;
  delete(key: string): void;
  keys(): string[];
}

export function keepAtMost<Value>(most: number): Kept<Value> {
  // A map goes through its entries in the order in which they were set.
  const entries = new Map<string, { value: Value; weight: number }>();
  let total = 0;

  function remove(key: string) {
    const entry = entries.get(key);
    if (entry && entries.delete(key)) total -= entry.weight;
  }

  function put(key: string, value: Value, weight: number) {
    remove(key);
    entries.set(key, { value, weight });
    total += weight;
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry) put(key, entry.value, entry.weight);
      return entry?.value;
    },
    set(key, value, weight = 1) {
      put(key, value, weight);
      for (const oldest of entries.keys()) {
        if (total <= most) break;
        remove(oldest);
      }
    },
    delete: remove,
    keys: () => [...entries.keys()],
  };
}
