/**
 * Splits a text into words as a shell does: blanks, '…', "…" and \ . No variables, no globs, no operators: DROVER_CMD_ARGS and
 * --node-args hold arguments, not commands.
 *
 * Rank 1. In the master.
 */

/** The words, or a sentence that says what is wrong with the text. */
export function splitWords(text: string): string[] | string {
  const words: string[] = [];
  let word: string | undefined; // undefined: between words ('' is a word: "")
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === ' ' || char === '\t' || char === '\n') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'") {
      const end = text.indexOf("'", i + 1);
      if (end === -1) return "a ' is not closed";
      word = (word ?? '') + text.slice(i + 1, end);
      i = end;
    } else if (char === '"') {
      word ??= '';
      for (i++; text[i] !== '"'; i++) {
        if (i >= text.length) return 'a " is not closed';
        // Within double quotes a shell's backslash quotes only these; before all else it stands for itself.
        if (text[i] === '\\' && /["\\$`]/.test(text[i + 1] ?? '')) i++;
        word += text[i];
      }
    } else if (char === '\\') {
      i++;
      if (i >= text.length) return 'it ends in a backslash';
      word = (word ?? '') + text[i];
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const CONTROL = /[\0-\x1f\x7f-\x9f]/g;
const SHORT: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** A text with words of shellWord(), whose control characters a terminal would obey: within their quotes as bash and zsh read them, `'a'$'\t''b'`. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => `'$'${SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`}''`);
}

/** As Markdown has code with backticks in it: between more of them than stand together within. */
export function codeSpan(text: string): string {
  const fence = '`'.repeat(Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length)) + 1);
  return `${fence}${text}${fence}`;
}
