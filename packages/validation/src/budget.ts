/**
 * Steps that judging one value may take: under a second at worst. Ordinary rules and keys need a thousandth of it; it
 * is for a large pattern or schema that meets a large value.
 */
const mostSteps = 2 ** 24;

export class Budget {
  #left = mostSteps;

  /** Whether there are so many steps left; they are then spent. */
  spend(steps: number): boolean {
    if (steps > this.#left) return false;
    this.#left -= steps;
    return true;
  }
}
