/** Whoever may do all with all paths. */
export const may = () => true;
export const choosing = { require() {}, sees: () => true };
