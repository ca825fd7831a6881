/**
 * The line of a head that the packets so far have left unfinished, by its first bytes: what tells a request line from a header field when Node's parser
 * gives up in the middle of one. In the worker; the hot path.
 *
 * Of a head that is too large Node hands over the packet it gave up in, and keeps none before it. So two of the parser's callbacks are taken: that a message begins, which Node leaves
 * unused, and that a packet has been parsed. A packet is looked at only when it leaves a head unfinished; else all this is two short calls.
 *
 * Not seen are packets that reach the parser as `data` of the socket: the first ones where HTTP/2 is spoken without TLS, and those of a socket that the app reads as well.
 */
import type { Socket } from 'node:net';

/** A socket and its parser as node:http keeps them. */
type HttpSocket = Socket & { parser?: Parser | null; [kHead]?: Head };

interface Parser {
  /** The numbers that are the names of its callbacks. */
  constructor: { kOnMessageBegin: number; kOnExecute: number };
  [callback: number]: ((this: Parser, parsed: number | Error) => void) | null;
  socket: HttpSocket;
  /** The request whose head was complete last, until it has been answered. */
  incoming: object | null;
  /** A copy. */
  getCurrentBuffer(): Buffer;
}

interface Head {
  /** Whether a message has begun and its head is not known to be complete. */
  isOpen: boolean;
  /** `incoming` when it began. */
  before: object | null;
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
  const { kOnMessageBegin, kOnExecute } = parser.constructor;
  socket[kHead] = { isOpen: false, before: null, line: '', onExecute: parser[kOnExecute]! };
  parser[kOnMessageBegin] = messageBegins;
  parser[kOnExecute] = packetParsed;
}

/** How the line began that the packets before the one at hand have left unfinished, or ''. */
export function openingOf(socket: HttpSocket): string {
  return socket[kHead]?.line ?? '';
}

function messageBegins(this: Parser): void {
  const head = this.socket[kHead]!;
  head.isOpen = true;
  head.before = this.incoming;
}

function packetParsed(this: Parser, parsed: number | Error): void {
  const head = this.socket[kHead]!;
  if (head.isOpen && typeof parsed === 'number') {
    if (this.incoming === null || this.incoming === head.before) {
      const packet = this.getCurrentBuffer();
      const begin = packet.lastIndexOf('\n') + 1;
      const opening = begin === 0 ? head.line : '';
      head.line = opening + packet.toString('latin1', begin, begin + OPENING_BYTES - opening.length);
    } else {
      head.isOpen = false;
      head.before = null;
      head.line = '';
    }
  }
  head.onExecute.call(this, parsed);
}
