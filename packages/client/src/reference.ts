import { clientError } from './error.ts';

/** What a text stands for. A test holds this to `parseReference` of Keyferry itself. */
export type Reference =
  | { readonly kind: 'secret'; readonly path: string }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'plain' };

/** Throws `reference_invalid`, without the text, which may be a secret after all. */
export function parseReference(text: string): Reference {
  if (text.startsWith('env.')) {
    const variable = text.slice('env.'.length);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable))
      throw clientError('reference_invalid', 'A reference begins with "env." but names no variable.');
    return { kind: 'environment', variable };
  }
  if (!text.startsWith('vault.')) return { kind: 'plain' };
  const [path = '', ...fields] = text.slice('vault.'.length).split('#');
  if (path === '' || fields.length > 1 || fields[0] === '')
    throw clientError(
      'reference_invalid',
      'A reference begins with "vault." but is not of the form vault.<path> or vault.<path>#<field>.',
    );
  const decoded = path.replace(/%23|%25/g, (code) => (code === '%23' ? '#' : '%'));
  // As Keyferry names paths, also where it tells that they changed.
  return { kind: 'secret', path: decoded.normalize('NFC') };
}

/** A local path as a reference; what is a reference to a secret already stays as it is. */
export function referenceTo(path: string): string {
  return path.startsWith('vault.') ? path : `vault.${path.replace(/[#%]/g, (sign) => (sign === '#' ? '%23' : '%25'))}`;
}
