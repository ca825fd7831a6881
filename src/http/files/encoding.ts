/** Which content codings a client takes (Accept-Encoding, RFC 9110 12.5.3). Pure. */

export type Coding = 'br' | 'gzip';

/** Of ours, those it takes, best first: by its weights, and Brotli first where they are alike. None without the header. */
export function acceptedCodings(header: string | undefined): readonly Coding[] {
  if (header === undefined || header === '') return NONE;
  let known = cache.get(header);
  if (known === undefined) {
    known = parse(header);
    // Browsers send a handful of different ones.
    if (cache.size >= 256) cache.clear();
    cache.set(header, known);
  }
  return known;
}

const NONE: readonly Coding[] = [];
const CODINGS: readonly Coding[] = ['br', 'gzip'];
const cache = new Map<string, readonly Coding[]>();

function parse(header: string): readonly Coding[] {
  const weights = new Map<string, number>();
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const q = parameters.map((parameter) => /^q\s*=\s*(\d(?:\.\d*)?)$/.exec(parameter)?.[1]).find((value) => value !== undefined);
    weights.set(name === 'x-gzip' ? 'gzip' : name, q === undefined ? 1 : Number(q));
  }
  const weightOf = (coding: string): number => weights.get(coding) ?? weights.get('*') ?? 0;
  // A client that likes the plain file better is told so by no weight below that of identity.
  const identity = weights.get('identity') ?? 0;
  return CODINGS.filter((coding) => weightOf(coding) > 0 && weightOf(coding) >= identity).sort((a, b) => weightOf(b) - weightOf(a));
}
