/**
 * What a client may say, made fit for a line of the log: no line can be forged, no field ended early, no terminal be told anything.
 * Pure, in the worker.
 *
 * Everything here is a byte string, as Node gives headers: a character per byte, written as Latin-1. So valid UTF-8 reaches the file as it
 * came, and what is not valid is escaped byte by byte.
 */
import { isUtf8 } from 'node:buffer';

/** Printable ASCII but quote and backslash: nearly everything. */
const SAFE = /^[ !#-[\]-~]*$/;
/** Printable ASCII without blanks, too. */
const SAFE_WORD = /^[!#-[\]-~]*$/;
/** C0 and C1 controls, DEL, and the two separators some readers take for the end of a line. */
 
const UNSAFE = /["\\\0-\x1f\x7f-\x9f\u2028\u2029]/g;
 
const UNSAFE_BYTES = /["\\\0-\x1f\x7f-\xff]/g;

/** For text formats: `\"`, `\\`, and `\xHH` for every other byte that could do harm. */
export function escapeText(value: string): string {
  return SAFE.test(value) ? value : escapeUnsafe(value);
}

/** The same for what stands between blanks, where a blank would end it. */
export function escapeWord(value: string): string {
  return SAFE_WORD.test(value) ? value : escapeUnsafe(value).replaceAll(' ', '\\x20');
}

function escapeUnsafe(value: string): string {
  const bytes = toBytes(value);
  if (!isUtf8(bytes)) return bytes.toString('latin1').replace(UNSAFE_BYTES, (byte) => escapeCharacter(byte, [byte.charCodeAt(0)]));
  return byteString(bytes.toString('utf8').replace(UNSAFE, (character) => escapeCharacter(character, Buffer.from(character, 'utf8'))));
}

function escapeCharacter(character: string, bytes: Iterable<number>): string {
  return character === '"' || character === '\\' ? `\\${character}` : Array.from(bytes, hex).join('');
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** A JSON text with its quotes. A value that is no UTF-8 has `\xHH` as four characters in place of the bytes that are no ASCII. */
export function jsonText(value: string): string {
  if (SAFE.test(value)) return `"${value}"`;
  const bytes = toBytes(value);
   
  const text = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1').replace(/[\x80-\xff]/g, (character) => hex(character.charCodeAt(0)));
  return byteString(JSON.stringify(text).replace(/[\x7f-\x9f\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

/** As bytes. What has other characters than bytes is text, not from the wire. */
function toBytes(value: string): Buffer {
   
  return Buffer.from(value, /[^\0-\xff]/.test(value) ? 'utf8' : 'latin1');
}

function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
