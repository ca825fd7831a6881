/**
 * Files that an app pipes into a response, as `send`, Express, sirv, @fastify/static and koa-send do: taken over at the first read of the fs.ReadStream, unseen by both. In the worker.
 *
 * The stream is opened, piped, ended, closed and destroyed by node's own code; only its one `_read` is answered with sendfile(2) to the socket and then the end of the file. Taken over is what
 * surely comes out the same: a plain stream of a regular file with one pipe and nobody else who wants its data, into a plain HTTP/1 response that nobody has wrapped, with a Content-Length of just the bytes to be
 * read. All else reads on as ever. What an app can notice: no `data` events, and `pause()` does not hold what the kernel sends.
 */
import fs, { ReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { FILE_STAT, native } from '../../native.js';
import { isPlain, promises, sendOnSocket, takeHead, type FileRange, type HttpResponse } from './on-socket.js';
import { stat } from './root.js';
import { whenTurn } from './turn.js';

/** What of a ReadStream is not in its types. */
interface Source extends Omit<ReadStream, 'bytesRead'> {
  fd: number | null;
  start?: number;
  end: number;
  /** Where it reads next; undefined: where the descriptor stands. */
  pos: number | undefined;
  bytesRead: number;
  /** As it was opened with; undefined when the descriptor was given. */
  flags?: unknown;
  _readableState: { pipes: unknown[]; length: number; objectMode: boolean };
  _read(size: number): void;
}

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

type Read = (this: Source, size: number) => void;
let originalRead: Read | undefined;
const fsRead = fs.read;

/** From now on, for every stream of this process. */
export function takePipes(): void {
  if (originalRead !== undefined) return;
  const prototype = ReadStream.prototype as unknown as Source;
   
  const read = (originalRead = prototype._read);
  prototype._read = function (this: Source, size) {
    if (this.bytesRead !== 0 || !takeOver(this, size)) Reflect.apply(read, this, [size]);
  };
}

function takeOver(source: Source, size: number): boolean {
  const { pipes } = source._readableState;
  const response = pipes[0] as HttpResponse;
  if (pipes.length !== 1 || !isPlain(response) || response.strictContentLength || !isUntouched(source)) return false;
  const range = rangeOf(source);
  if (range === undefined || !announces(response, range.length)) return false;
  if (response._header === null) (response as unknown as { _implicitHeader(): void })._implicitHeader();
  if (!promises(response, range.length)) return false;
  const goOn = (): void => Reflect.apply(originalRead!, source, [size]) as void;
  whenTurn(
    response,
    () => {
      if (source.destroyed) return;
      // Taken away again while it waited for those before it.
      if (source._readableState.pipes[0] !== response || !isPlain(response)) return goOn();
      send(source, response, range, goOn);
    },
    () => void source.destroy(),
  );
  return true;
}

function send(source: Source, response: HttpResponse, range: FileRange, goOn: () => void): void {
  sendOnSocket(response, takeHead(response), range, (outcome) => {
    if (outcome.how === 'gone' || outcome.how === 'truncated') {
      // Nobody reads on, and not everybody closes what he has piped.
      source.destroy();
      return;
    }
    const sent = outcome.how === 'unable' ? range.length - outcome.left.length : range.length;
    source.bytesRead = sent;
    source.pos = range.offset + sent;
    if (outcome.how === 'unable') goOn();
    else if (!source.destroyed) source.push(null);
  });
}

/** Nothing of it has been read, nobody but the pipe wants it, and it reads with node's own means. */
function isUntouched(source: Source): boolean {
  const { length, objectMode } = source._readableState;
  if (length > 0 || objectMode || source.readableEncoding !== null || source.destroyed || typeof source.fd !== 'number') return false;
  if (source.listenerCount('data') !== 1 || source.listenerCount('readable') > 0) return false;
   
  if (source.push !== Readable.prototype.push || source.read !== Readable.prototype.read || fs.read !== fsRead) return false;
  const kFs = Object.getOwnPropertySymbols(source).find(({ description }) => description === 'kFs');
  return kFs !== undefined && (source as unknown as Record<symbol, unknown>)[kFs] === fs;
}

/** The bytes that it would read; undefined when that is not sure. */
function rangeOf(source: Source): FileRange | undefined {
  const fd = source.fd!;
  // A descriptor that was given may stand anywhere.
  if (source.pos === undefined && source.flags !== 'r') return undefined;
  if (native.statBeneath(fd, '', stat) < 0 || (stat[FILE_STAT.mode]! & S_IFMT) !== S_IFREG) return undefined;
  const offset = source.pos ?? 0;
  const end = Math.min(source.end, stat[FILE_STAT.size]! - 1);
  return end < offset || (source.end !== Infinity && end !== source.end) ? undefined : { fd, offset, length: end - offset + 1 };
}

/** Before headers are made: whether they will say this length. */
function announces(response: HttpResponse, length: number): boolean {
  return response._header !== null ? response._contentLength === length : Number(response.getHeader('content-length') ?? NaN) === length;
}
