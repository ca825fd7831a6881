/**
 * The line of a head that the packets so far have left unfinished, by its first bytes: what tells a request line from a header field when Node's parser
 * gives up in the middle of one. In the worker; the hot path.
 *
 * Of a head that is too large Node hands over the packet it gave up in, and keeps none before it. So the parser's callback that a packet has been parsed is taken, and the screen tells of
 * each head that is complete, and how long its message is. A packet is looked at only when it seems to leave a head unfinished; else all this is two short calls. (That a message begins the parser tells, too, but to whom
 * it is told in JavaScript costs more than all that the screen does.)
 *
 * Not seen are packets that reach the parser as `data` of the socket: the first ones where HTTP/2 is spoken without TLS, and those of a socket that the app reads as well; and of a
 * packet what comes behind the rest of a head that others have begun, when requests are sent without waiting for answers.
 */
import type { Socket } from 'node:net';

/** A socket and its parser as node:http keeps them. */
type HttpSocket = Socket & { parser?: Parser | null; [kHead]?: Head };

interface Parser {
  /** The numbers that are the names of its callbacks. */
  constructor: { kOnExecute: number };
  [callback: number]: ((this: Parser, parsed: number | Error) => void) | null;
  socket: HttpSocket;
  /** The request whose head was complete last, until it has been answered. */
  incoming: { readonly complete: boolean } | null;
  /** A copy. */
  getCurrentBuffer(): Buffer;
}

interface Head {
  /** Size of the last message whose head has become complete since the last packet; 0: none has. */
  bytes: number;
  /** Whether the body that belongs to it was not. */
  inBody: boolean;
  /** Bytes of it that are still to come; less than 0: there was something behind it, or its length is not told (chunked). */
  left: number;
  /** '': the last packet has left none. */
  line: string;
  /** Node's own callback. */
  onExecute: (this: Parser, parsed: number | Error) => void;
}

const kHead = Symbol('drover.head');

/** So much of a line tells what it is: no method is longer. */
export const OPENING_BYTES = 32;

/** To be called when node:http has given the socket its parser; once is enough. */
export function watchLine(socket: HttpSocket): void {
  const { parser } = socket;
  if (!parser || parser[parser.constructor.kOnExecute] === packetParsed) return;
  const { kOnExecute } = parser.constructor;
  socket[kHead] = { bytes: 0, inBody: false, left: 0, line: '', onExecute: parser[kOnExecute]! };
  parser[kOnExecute] = packetParsed;
}

/** How the line began that the packets before the one at hand have left unfinished, or ''. */
export function openingOf(socket: HttpSocket): string {
  return socket[kHead]?.line ?? '';
}

/** To be called for each request. `bytes`: head and body, if it tells its length. */
export function headIsComplete(socket: HttpSocket, bytes: number): void {
  const head = socket[kHead];
  if (head !== undefined) head.bytes = bytes;
}

function packetParsed(this: Parser, parsed: number | Error): void {
  const head = this.socket[kHead]!;
  if (typeof parsed === 'number') {
    const { bytes } = head;
    // The screen was not told of it, or has refused it: what comes is its body all the same.
    if (bytes === 0 && !head.inBody && this.incoming?.complete === false) {
      head.inBody = true;
      head.left = Infinity;
    }
    if (bytes === 0 && !head.inBody) head.line = lastLine(this.getCurrentBuffer(), head.line);
    else {
      head.left = (bytes || head.left) - parsed;
      head.bytes = 0;
      head.inBody = this.incoming?.complete === false;
      head.line = head.inBody || head.left >= 0 ? '' : lineBehind(this.getCurrentBuffer());
    }
  }
  head.onExecute.call(this, parsed);
}

/** Behind a message that is complete. Where nothing is, but blanks in its head have made it longer than was told, this is the end of its body, and seldom looks like a line. */
function lineBehind(packet: Buffer): string {
  const line = lastLine(packet, '');
  return LINE_BEGINS.test(line) ? line : '';
}

/** A method or the name of a field, or the begin of one. */
const LINE_BEGINS = /^[\w!#$%&'*+.^`|~-]+(?:[ :]|$)/;

/** `before`: how the line began in which the packet begins. */
function lastLine(packet: Buffer, before: string): string {
  const begin = packet.lastIndexOf('\n') + 1;
  const opening = begin === 0 ? before : '';
  return opening + packet.toString('latin1', begin, begin + OPENING_BYTES - opening.length);
}
