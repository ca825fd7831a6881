/**
 * The format of the access log as text: `%(h)s` and its like, taken apart into pieces. Pure: what a piece prints is the worker's
 * (http/access-log/atoms.ts); here stands which ones there are, so that a wrong format is an error at start and not a dash in every line.
 *
 * Rank 1. In the master (to check it) and in the workers (to compile it).
 */

/** Formats that go by a name. `json` is no format of pieces: http/access-log/json.ts. */
export const NAMED_FORMATS = {
  combined: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
  common: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s',
} as const;

/** Gunicorn's atoms, then ours. Documented in docs/access-log.md. */
export const ATOMS = ['h', 'l', 'u', 't', 'r', 'm', 'U', 'q', 'H', 's', 'B', 'b', 'f', 'a', 'T', 'M', 'D', 'L', 'p', 'id', 'slot'] as const;

export type AtomName = (typeof ATOMS)[number];

/** Header of the request, header of the response, variable. */
export type NamedKind = 'i' | 'o' | 'e';

/** Text as it is, an atom, or something with a name; names are in lower case. */
export type Piece = string | { readonly atom: AtomName } | { readonly kind: NamedKind; readonly name: string };

export interface FormatProblem {
  /** What is wrong. */
  what: string;
  /** What to give instead: a sentence. */
  remedy: string;
  /** The piece that is wrong. */
  piece: string;
}

const FORMS = `The atoms are ${ATOMS.map((atom) => `%(${atom})s`).join(' ')}, and %({NAME}i)s for a header of the request, %({NAME}o)s of the response, %({NAME}e)s for a variable; a percent sign is %%. See docs/access-log.md.`;

/** The pieces of a format, or what is wrong with it. */
export function parseLogFormat(text: string): Piece[] | FormatProblem {
  const format = Object.hasOwn(NAMED_FORMATS, text) ? NAMED_FORMATS[text as keyof typeof NAMED_FORMATS] : text;
  // A line of the log is a line of the file.
   
  const control = /[\0-\x08\x0a-\x1f\x7f]/.exec(format);
  if (control !== null) return { what: 'a control character in the format', remedy: 'Give a format of one line.', piece: control[0] };
  if (!format.includes('%')) return { what: 'no such format', remedy: `Give combined, common, json, or a text with atoms. ${FORMS}`, piece: text };

  const pieces: Piece[] = [];
  let plain = '';
  let at = 0;
  while (at < format.length) {
    const next = format.indexOf('%', at);
    plain += format.slice(at, next === -1 ? undefined : next);
    if (next === -1) break;
    if (format.startsWith('%%', next)) {
      plain += '%';
      at = next + 2;
      continue;
    }
    const match = /^%\(((?:\{[^{}()]*\})?[^{}()]*)\)(.?)/.exec(format.slice(next));
    if (match === null) return bare(format.slice(next));
    const [whole, name = '', conversion = ''] = match;
    // Python's conversions of a text and of a whole number: here they print the same.
    if (!'sdi'.includes(conversion) || conversion === '') return { what: 'an atom has to end in `)s`', remedy: `Write %(${name})s.`, piece: whole };
    const piece = pieceNamed(name);
    if (piece === undefined) return { what: 'no such atom', remedy: FORMS, piece: whole };
    if (plain !== '') pieces.push(plain);
    plain = '';
    pieces.push(piece);
    at = next + whole.length;
  }
  if (plain !== '') pieces.push(plain);
  return pieces;
}

function pieceNamed(name: string): Piece | undefined {
  const [, named, kind] = /^\{([^{}]+)\}([ioe])$/.exec(name) ?? [];
  if (named !== undefined) return { kind: kind as NamedKind, name: named.toLowerCase() };
  return (ATOMS as readonly string[]).includes(name) ? { atom: name as AtomName } : undefined;
}

/** A percent sign that begins nothing: what Apache's format looks like, mostly. */
function bare(rest: string): FormatProblem {
  const [piece = '%'] = /^%(?:>?\{[^}]*\})?>?[A-Za-z]*/.exec(rest) ?? [];
  const [, named = '', letter = ''] = /^%>?(\{[^}]*\})?>?([A-Za-z]?)/.exec(piece) ?? [];
  const known = pieceNamed(named + letter) !== undefined;
  return { what: 'a percent sign that begins no atom', remedy: known ? `Write %(${named}${letter})s.` : FORMS, piece };
}
