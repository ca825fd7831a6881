/** From the path of a URL to the path of a file, or to nothing: what cannot name a file of ours names none. Pure. */

export interface FilePath {
  /** Relative, without a leading slash; '' is the root. */
  path: string;
  /** The URL ends in a slash: a directory is meant. */
  directory: boolean;
}

/**
 * `text`: what follows the prefix, beginning with a slash or empty, without the query. Undefined for all that is not the one plain way to write the path of a visible file: names
 * that begin with a dot (and so `..`), however they are written; `%2f`, `%00`, bytes that are no UTF-8, a broken escape, and empty names (`//`).
 */
export function parseUrlPath(text: string): FilePath | undefined {
  if (text === '' || text === '/') return { path: '', directory: text === '/' };
  if (!text.startsWith('/')) return undefined;
  const directory = text.endsWith('/');
  const names: string[] = [];
  for (const piece of text.slice(1, directory ? -1 : undefined).split('/')) {
    const name = piece.includes('%') ? decode(piece) : piece;
    if (name === undefined || name === '' || name.startsWith('.') || name.includes('/') || name.includes('\0')) return undefined;
    names.push(name);
  }
  const path = names.join('/');
  return path.length > MAX_PATH ? undefined : { path, directory };
}

/** PATH_MAX of Linux; longer ones open nothing. */
const MAX_PATH = 4095;

function decode(piece: string): string | undefined {
  try {
    return decodeURIComponent(piece);
  } catch {
    return undefined;
  }
}

/** The path of a request's target, and its query with the question mark. Absolute-form targets (RFC 9112 3.2.2) too; undefined: none (`*`). */
export function splitTarget(target: string): { path: string; query: string } | undefined {
  let text = target;
  if (!text.startsWith('/')) {
    const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(text);
    if (authority === null) return undefined;
    text = text.slice(authority[0].length);
    if (!text.startsWith('/')) text = `/${text}`;
  }
  const cut = text.indexOf('?');
  return cut === -1 ? { path: text, query: '' } : { path: text.slice(0, cut), query: text.slice(cut) };
}
