/** What Node's parser and its timers report as `clientError`, as a refusal: status and reason. Pure. In the worker. */
import { OPENING_BYTES } from './unfinished-line.js';

/** An error of `clientError`. */
export interface ClientError extends Error {
  code?: string;
  /** What llhttp says of it. */
  reason?: string;
  bytesParsed?: number;
  /** What was read from the socket last. */
  rawPacket?: Buffer;
}

export interface ParseFailure {
  status: number;
  reason: string;
  requestLine?: string;
}

/**
 * undefined: an error of the connection, to which there is nothing to say. `opening`: how the line began in which the parser gave up, if that was before the
 * packet of the error. `inHead`: it gave up in the head of a request, not in a body.
 */
export function parseFailureOf(error: ClientError, opening: string, inHead: boolean): ParseFailure | undefined {
  const { code = '', rawPacket } = error;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, reason: 'the request took too long to arrive' };
  if (!code.startsWith('HPE_')) return undefined;
  const requestLine = rawPacket === undefined ? undefined : lineOf(rawPacket, inHead ? beginOfHead(rawPacket, error) : 0);
  return { ...judged(error, opening), ...(requestLine === undefined ? {} : { requestLine }) };
}

function judged({ code, reason, rawPacket, bytesParsed = 0 }: ClientError, opening: string): { status: number; reason: string } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return inRequestLine(rawPacket, bytesParsed, opening) ? { status: 414, reason: 'the request line is too long' } : { status: 431, reason: 'the head of the request is too large' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, reason: 'the chunk extensions are too large' };
    case 'HPE_INVALID_EOF_STATE':
      return { status: 400, reason: 'the request is not complete' };
    case 'HPE_PAUSED_H2_UPGRADE':
      return { status: 505, reason: 'a version of HTTP that is not served' };
    default:
      // llhttp's own words: constants, none of the client's.
      return { status: 400, reason: `malformed request: ${reason ?? code}` };
  }
}

/** Whether the parser gave up in a request line. */
function inRequestLine(packet: Buffer | undefined, end: number, opening: string): boolean {
  if (packet === undefined) return false;
  const begin = packet.lastIndexOf('\n', Math.max(end - 1, 0)) + 1;
  return /^[A-Z-]+ /.test((begin === 0 ? opening : '') + packet.toString('latin1', begin, begin + OPENING_BYTES));
}

/** Requests may come before it in the same packet. */
function beginOfHead(packet: Buffer, { code, bytesParsed = 0 }: ClientError): number {
  if (code === 'HPE_PAUSED_H2_UPGRADE') return Math.max(bytesParsed - H2_PREFACE_BYTES, 0);
  const end = bytesParsed < BLANK_LINE.length ? -1 : packet.lastIndexOf(BLANK_LINE, bytesParsed - BLANK_LINE.length);
  return end === -1 ? 0 : end + BLANK_LINE.length;
}

/** The line that begins here, if it is the start of a request line. */
function lineOf(packet: Buffer, begin: number): string | undefined {
  const end = packet.indexOf('\r', begin);
  const line = packet.toString('latin1', begin, Math.min(end === -1 ? packet.length : end, begin + LINE_SHOWN));
  return /^[A-Z-]+ [!-~]+( HTTP\/\d\.\d)?$/.test(line) ? line : undefined;
}

const LINE_SHOWN = 4096;
const BLANK_LINE = '\r\n\r\n';
const H2_PREFACE_BYTES = 24;
