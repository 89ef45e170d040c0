/** Names in the order in which listings show them. They are sorted when they are looked at, not as they come. */
export class NameIndex {
  readonly #names: string[] = [];
  #unsorted = false;

  add(name: string): void {
    this.#unsorted ||= name < (this.#names.at(-1) ?? '');
    this.#names.push(name);
  }

  remove(name: string): void {
    const position = this.#positionOf(name);
    if (this.#names[position] === name) this.#names.splice(position, 1);
  }

  /** Names that come after this one. */
  *after(name: string): Generator<string, void, void> {
    const start = this.#positionOf(`${name}\u0000`);
    for (let position = start; position < this.#names.length; position++) yield this.#names[position] ?? '';
  }

  /** Where a name is, or would be. */
  #positionOf(name: string): number {
    if (this.#unsorted) this.#names.sort();
    this.#unsorted = false;
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#names[middle] ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
