/** Text as Postgres takes it: without NUL and lone surrogates, which a vault's names may have. */
export const printable = (text: string): string => text.toWellFormed().replaceAll('\0', '\uFFFD');
