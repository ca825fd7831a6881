/** The Range header of a request (RFC 9110 14). Pure. */

/** Bytes `start` to `end`, both counted in. */
export interface ByteRange {
  start: number;
  end: number;
}

/** More pieces than any reader has use for: such a request gets the whole file. */
const MAX_PIECES = 100;

/**
 * What is asked of a file of `size` bytes: one range; `unsatisfiable` (416); or undefined: the whole. Several ranges that touch or overlap are one; of any
 * others, as of what cannot be understood, the header is ignored, as the RFC permits.
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, list] = /^\s*bytes\s*=(.*)$/i.exec(header) ?? [];
  if (list === undefined) return undefined;
  const pieces = list.split(',').map((piece) => piece.trim()).filter((piece) => piece !== '');
  if (pieces.length === 0 || pieces.length > MAX_PIECES) return undefined;
  const ranges: ByteRange[] = [];
  for (const piece of pieces) {
    const [, first, last] = /^(\d*)\s*-\s*(\d*)$/.exec(piece) ?? [];
    if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
    if (first === '') {
      const suffix = Math.min(Number(last), size);
      if (suffix > 0) ranges.push({ start: size - suffix, end: size - 1 });
      continue;
    }
    const start = Number(first);
    const end = last === '' ? size - 1 : Number(last);
    if (last !== '' && end < start) return undefined;
    if (start < size) ranges.push({ start, end: Math.min(end, size - 1) });
  }
  if (ranges.length === 0) return 'unsatisfiable';
  ranges.sort((a, b) => a.start - b.start);
  const whole = { ...ranges[0]! };
  for (const { start, end } of ranges) {
    if (start > whole.end + 1) return undefined;
    whole.end = Math.max(whole.end, end);
  }
  return whole;
}
