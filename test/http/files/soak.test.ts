/**
 * Many clients at random, from a seed: files of many sizes by every way to send them, ranges, pipelining, slow readers, clients that go away in the middle. Every response that arrives whole is
 * compared byte by byte; one that does not, as far as it came. No descriptor may be left.
 */
import { once } from 'node:events';
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sendBody } from '../../../src/http/files/body.js';
import { bytesSentOf } from '../../../src/http/files/on-socket.js';
import { takePipes } from '../../../src/http/files/pipe.js';
import { StaticFiles } from '../../../src/http/files/static.js';
import { openDescriptors } from '../../helpers/drover.js';

takePipes();

const SIZES = [1, 100, 4096, 65_536, 65_537, 300_000, 1 << 20, 5_000_000];

/** Each file's bytes tell whose they are and where they stand. */
function contentOf(file: number): Buffer {
  const content = Buffer.alloc(SIZES[file]!);
  for (let i = 0; i + 4 <= content.length; i += 4) content.writeUInt32LE(((file + 1) * 0x9e3779b1 + i * 2_246_822_519) >>> 0, i);
  return content;
}

const contents = SIZES.map((_, file) => contentOf(file));

function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const WAYS = ['static', 'pipe', 'body', 'memory'] as const;

async function serve(t: ExecutionContext, place: 'tcp' | 'unix'): Promise<{ at: net.NetConnectOpts; dir: string; server: http.Server; finished: () => number }> {
  const dir = mkdtempSync(join(tmpdir(), 'drover-soak-'));
  contents.forEach((content, file) => writeFileSync(join(dir, `${file}`), content));
  const statics = new StaticFiles([{ prefix: '/static', directory: dir }], 0);
  let finished = 0;
  const server = http.createServer((request, response) => {
    response.on('finish', () => finished++);
    if (statics.request(request, response)) return;
    const [, way, name] = request.url!.split('/');
    const path = join(dir, name!);
    const size = contents[Number(name)]!.length;
    const [, first = '0', last = String(size - 1)] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const [start, end] = [Number(first), Number(last)];
    response.setHeader('Content-Length', end - start + 1);
    if (way === 'memory') return void response.end(contents[Number(name)]!.subarray(start, end + 1));
    // Later than the next request of a pipeline, sometimes.
    const answer = (): void => {
      if (way === 'pipe') {
        createReadStream(path, { start, end }).pipe(response);
        return;
      }
      const fd = openSync(path, 'r');
      response.writeHead(200);
      sendBody(response, { fd, offset: start, length: end - start + 1 }, () => closeSync(fd));
    };
    if (size % 3 === 0) setImmediate(answer);
    else answer();
  });
  const at = place === 'tcp' ? { port: 0, host: '127.0.0.1' } : { path: join(dir, 'socket') };
  server.listen(at);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });
  return { at: place === 'tcp' ? { port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' } : { path: join(dir, 'socket') }, dir, server, finished: () => finished };
}

interface Wanted {
  file: number;
  start: number;
  end: number;
}

/** Reads responses in order and compares each byte as it comes. Answers how many were whole. */
class Reader {
  whole = 0;
  wrong: string | undefined;
  readonly #wanted: Wanted[];
  #head = Buffer.alloc(0);
  #at = -1;

  constructor(wanted: Wanted[]) {
    this.#wanted = wanted;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && this.wrong === undefined) {
      const wanted = this.#wanted[this.whole];
      if (wanted === undefined) return void (this.wrong = `${rest.length} bytes more than were asked for`);
      if (this.#at < 0) {
        this.#head = Buffer.concat([this.#head, rest]);
        const end = this.#head.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = this.#head.toString('latin1', 0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        if (!/^HTTP\/1.1 20[06] /.test(head) || length !== wanted.end - wanted.start + 1) return void (this.wrong = `${JSON.stringify(wanted)}: ${head}`);
        rest = this.#head.subarray(end + 4);
        this.#head = Buffer.alloc(0);
        this.#at = wanted.start;
      }
      const piece = rest.subarray(0, wanted.end + 1 - this.#at);
      if (!piece.equals(contents[wanted.file]!.subarray(this.#at, this.#at + piece.length))) return void (this.wrong = `${JSON.stringify(wanted)} at ${this.#at}`);
      this.#at += piece.length;
      rest = rest.subarray(piece.length);
      if (this.#at <= wanted.end) continue;
      this.whole++;
      this.#at = -1;
    }
  }
}

async function client(at: net.NetConnectOpts, random: (below: number) => number): Promise<{ wrong: string | undefined; whole: number; asked: number; left: boolean }> {
  const socket = net.connect(at);
  socket.on('error', () => {});
  const wanted = Array.from({ length: 1 + random(6) }, (): Wanted => {
    const file = random(SIZES.length);
    const size = SIZES[file]!;
    if (random(2) === 0) return { file, start: 0, end: size - 1 };
    const start = random(size);
    return { file, start, end: start + random(size - start) };
  });
  const requests = wanted.map(({ file, start, end }) => {
    const range = start === 0 && end === SIZES[file]! - 1 && random(2) === 0 ? '' : `Range: bytes=${start}-${end}\r\n`;
    return `GET /${WAYS[random(WAYS.length)]!}/${file} HTTP/1.1\r\nHost: soak\r\n${range}\r\n`;
  });
  const reader = new Reader(wanted);
  const slow = random(3) === 0;
  const leavesAfter = random(4) === 0 ? random(2_000_000) : Infinity;
  let received = 0;
  const done = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (chunk) => {
      received += chunk.length;
      reader.push(chunk);
      if (reader.wrong !== undefined || reader.whole === wanted.length || received >= leavesAfter) {
        if (random(2) === 0 || 'path' in at) socket.destroy();
        else socket.resetAndDestroy();
      } else if (slow && random(4) === 0) {
        socket.pause();
        setTimeout(() => socket.resume(), random(5));
      }
    });
  });
  if (random(2) === 0) socket.write(requests.join(''));
  else for (const request of requests) {
    socket.write(request);
    if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  return { wrong: reader.wrong, whole: reader.whole, asked: wanted.length, left: received >= leavesAfter };
}

for (const place of ['tcp', 'unix'] as const) {
  test.serial(`no byte of one response is in another's (${place})`, async (t) => {
    const seed = Number(process.env['DROVER_SOAK_SEED'] ?? 20_261_124);
    const rounds = Number(process.env['DROVER_SOAK_ROUNDS'] ?? 24);
    const { at, dir } = await serve(t, place);
    let whole = 0;
    for (let round = 0; round < rounds; round++) {
      const results = await Promise.all(Array.from({ length: 8 }, (_, i) => client(at, randomFrom(seed + round * 8 + i))));
      for (const [i, { wrong, ...rest }] of results.entries()) {
        t.is(wrong, undefined, `seed ${seed + round * 8 + i}`);
        if (!rest.left) t.is(rest.whole, rest.asked, `seed ${seed + round * 8 + i}: all that was asked for came`);
        whole += rest.whole;
      }
    }
    t.true(whole > rounds * 8);
    // What the cache keeps is open: the two files that are too large for memory, and the socket's own directory is none.
    while (openDescriptors('self', `${dir}/`) > SIZES.length) await new Promise((resolve) => setTimeout(resolve, 10));
    t.pass();
  });
}

test.serial('what a response sent is counted, on it and on its socket', async (t) => {
  const { at, server } = await serve(t, 'tcp');
  const counted: [number | undefined, number][] = [];
  server.on('request', (request, response) => {
    const { socket } = request;
    response.on('finish', () => counted.push([bytesSentOf(response), socket.bytesWritten]));
  });
  const socket = net.connect(at);
  let received = 0;
  socket.on('data', (chunk) => (received += chunk.length));
  for (const way of ['static', 'pipe', 'body']) socket.write(`GET /${way}/7 HTTP/1.1\r\nHost: x\r\n${way === 'body' ? 'Connection: close\r\n' : ''}\r\n`);
  await once(socket, 'close');
  t.deepEqual(counted.map(([body]) => body), [SIZES[7], SIZES[7], SIZES[7]]);
  t.is(counted.at(-1)![1], received);
});
