/**
 * Where a JSON text is wrong. JSON.parse tells a position for some errors and for others only a piece of the text, and both
 * differ from one Node to the next.
 *
 * Rank 1. In the master.
 */

/** Line and column, from 1, of the first character that cannot be there (or of the end, when the text stops too early). */
export function jsonErrorPosition(text: string): { line: number; column: number } {
  const before = text.slice(0, errorOffset(text)).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const BLANKS = /[ \t\r\n]*/y;

function errorOffset(text: string): number {
  let offset = text.startsWith('\uFEFF') ? 1 : 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = offset;
    if (!pattern.test(text)) return false;
    offset = pattern.lastIndex;
    return true;
  };
  const is = (char: string): boolean => {
    take(BLANKS);
    if (text[offset] !== char) return false;
    offset++;
    take(BLANKS);
    return true;
  };
  const list = (end: string, item: () => boolean): boolean => {
    if (is(end)) return true;
    do {
      take(BLANKS);
      if (!item()) return false;
    } while (is(','));
    return is(end);
  };
  const value = (): boolean => {
    if (is('{')) return list('}', () => take(STRING) && is(':') && value());
    if (is('[')) return list(']', value);
    return take(STRING) || take(NUMBER) || take(LITERAL);
  };
  if (value()) take(BLANKS);
  return offset;
}
