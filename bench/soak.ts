/**
 * The soak: every accept strategy for minutes under a mixed load, all of them side by side, and then whether anything was lost or left.
 *
 *   node dist/bench/soak.js [--minutes 10] [--strategy reuseport,grant] [--workers 4]
 *
 * The load of each: connections with one request, kept-alive connections, slow requests, and clients that reset before, within and after their request. In the first half
 * a reload every ten seconds; in the second none, so that what a worker gathers shows. At the end, with the load gone:
 *
 *   - every request was answered, but for those whose client had gone;
 *   - what a worker's app has counted is what its row on the board says: accepted = closed + open, and nothing is in flight;
 *   - selected - accepted of each slot is the length of its queue, 0; permits are held by workers that are there, one each;
 *   - the master has as many descriptors as after the first reload, and no more memory than 16 MB above; workers likewise, over the second half.
 *
 * Exit code 1 when something of it does not hold.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ACCEPT_STRATEGIES } from '../src/config/options/listening.js';
import { Board, BOARD_BYTES, HEADER_FIELDS, MAX_ROWS, MAX_SLOTS, State } from '../src/ipc/board.js';
import { compile } from './compile.js';
import { startLogged } from './logged.js';
import { APPS } from './paths.js';
import { memoryOf } from './processes.js';
import { freePort } from './rival.js';

const RELOAD_EVERY_MS = 10_000;
const GROWTH_MB = 16;
const CLIENTS = { once: 3, kept: 3, slow: 2, rude: 2 };

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, strategy: { type: 'string' }, workers: { type: 'string', default: '4' } } });
const minutes = Number(values.minutes);
const workers = Number(values.workers);
const strategies = values.strategy?.split(',') ?? ACCEPT_STRATEGIES;

interface Result {
  strategy: string;
  wrong: string[];
  said: string;
}

async function soak(strategy: string): Promise<Result> {
  const port = await freePort();
  const drover = startLogged([`${APPS}soak.cjs`, '-w', String(workers), '-b', `127.0.0.1:${port}`, '--accept-strategy', strategy, '--log-level', 'debug']);
  const { pid: master, logged } = drover;
  try {
    await logged('master.ready', 1);
    const load = new Load(port);
    const halfMs = (minutes * 60_000) / 2;
    let reloads = 0;
    let masterBefore: Usage | undefined;
    for (const end = performance.now() + halfMs; performance.now() < end; ) {
      drover.signal('SIGHUP');
      await logged('reload.finished', ++reloads);
      await gone(master);
      masterBefore ??= usage(master);
      await sleep(Math.min(RELOAD_EVERY_MS, Math.max(0, end - performance.now())));
    }
    await sleep(Math.min(10_000, halfMs / 10));
    const workersBefore = new Map(workerPids(master).map((pid) => [pid, usage(pid)]));
    await sleep(halfMs);
    const workersAfter = new Map(workerPids(master).map((pid) => [pid, usage(pid)]));
    const { asked, lost } = await load.stop();
    const wrong = lost.slice(0, 5).map((what) => `lost: ${what}`);
    await quiet(master);
    const masterAfter = usage(master);
    grown(wrong, 'master', masterBefore!, masterAfter, 4);
    // Connections of the load come and go.
    for (const [pid, before] of workersBefore) {
      const after = workersAfter.get(pid);
      if (after === undefined) wrong.push(`worker ${pid} has died`);
      else grown(wrong, `worker ${pid}`, before, after, 2 * Object.values(CLIENTS).reduce((a, b) => a + b));
    }
    for (const event of ['worker.died', 'master.failed', 'listen.steer-failed', 'listen.unwatched']) if (drover.count(event) > 0) wrong.push(`the log has ${event}`);
    wrong.push(...(await inconsistencies(master, port)));
    return { strategy, wrong, said: `${asked} requests, ${lost.length} lost, ${reloads} reloads; master ${text(masterBefore!)} -> ${text(masterAfter)}` };
  } finally {
    await drover.stop();
  }
}

interface Usage {
  fds: number;
  rssMb: number;
}

function usage(pid: number): Usage {
  return { fds: readdirSync(`/proc/${pid}/fd`).length, rssMb: memoryOf(pid).rssMb };
}

function text({ fds, rssMb }: Usage): string {
  return `${fds} fds ${rssMb.toFixed(0)} MB`;
}

function grown(wrong: string[], what: string, before: Usage, after: Usage, slackFds: number): void {
  if (after.fds > before.fds + slackFds) wrong.push(`${what}: ${before.fds} descriptors, then ${after.fds}`);
  if (after.rssMb > before.rssMb + GROWTH_MB) wrong.push(`${what}: ${before.rssMb.toFixed(1)} MB, then ${after.rssMb.toFixed(1)}`);
}

function workerPids(master: number): number[] {
  return readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** Until the old workers of a reload have gone. */
async function gone(master: number): Promise<void> {
  while (workerPids(master).length > workers) await sleep(50);
}

/** The board as it is now. */
function readBoard(master: number): Board {
  const fd = readdirSync(`/proc/${master}/fd`).find((name) => {
    const link = readlinkSync(`/proc/${master}/fd/${name}`);
    if (link.startsWith('/memfd:drover-board')) return true;
    return link.includes('bpf-map') && new RegExp(`^value_size:\\s+${BOARD_BYTES}$`, 'm').test(readFileSync(`/proc/${master}/fdinfo/${name}`, 'utf8'));
  });
  if (fd === undefined) throw new Error('the master has no board');
  const bytes = execFileSync(compile('board'), [String(master), fd, String(BOARD_BYTES)], { maxBuffer: 1 << 24 });
  return new Board(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function readyRows(board: Board): number[] {
  return Array.from({ length: MAX_ROWS }, (_, row) => row).filter((row) => board.get(row, 'state') === State.ready);
}

/** Until no connection is left: kept-alive ones end by their time. */
async function quiet(master: number): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(250)) {
    const board = readBoard(master);
    if (readyRows(board).every((row) => board.get(row, 'connections') === 0)) break;
  }
  // What the accounts set right takes a second without traffic.
  await sleep(3_000);
}

async function inconsistencies(master: number, port: number): Promise<string[]> {
  const wrong: string[] = [];
  const board = readBoard(master);
  const rows = readyRows(board);
  if (rows.length !== workers) wrong.push(`${rows.length} rows are ready`);
  for (let slot = 0; slot < MAX_SLOTS; slot += 1) {
    const queue = board.getSlot(slot, 'selected') - board.getSlot(slot, 'accepted');
    if (board.getSlot(slot, 'selected') !== 0 && queue !== 0) wrong.push(`slot ${slot}: selected - accepted is ${queue} with nobody queued`);
  }
  const owners = [...new BigUint64Array(board.buffer, HEADER_FIELDS.permits[0], 16)].map((word) => Number(word & 0xffffffffn)).filter((owner) => owner !== 0);
  if (new Set(owners).size !== owners.length) wrong.push(`a worker has two permits: ${owners.join(' ')}`);
  for (const owner of owners) if (!rows.includes(owner - 1)) wrong.push(`row ${owner - 1} has a permit and is not ready`);
  // Asked until each worker has answered once; what it is asked by is counted too.
  const left = new Map(rows.map((row) => [board.get(row, 'pid'), row]));
  for (let n = 0; left.size > 0 && n < 2_000; n += 1) {
    // A few at a time, for a strategy that has one sleeper answer all that come one by one.
    const answers = await Promise.all(Array.from({ length: workers }, () => get(port, '/counts')));
    const now = readBoard(master);
    for (const body of answers) {
      const { pid, connections, closed } = JSON.parse(body) as { pid: number; connections: number; closed: number };
      const row = left.get(pid);
      if (row === undefined) continue;
      left.delete(pid);
      const accepted = now.get(row, 'accepted');
      // Those of this round may have come after its answer.
      if (accepted < connections || accepted > connections + workers) wrong.push(`worker ${pid}: accepted ${accepted}, its app has seen ${connections}`);
      if (connections - closed > workers) wrong.push(`worker ${pid}: ${connections - closed} connections are open that should not be`);
    }
  }
  if (left.size > 0) wrong.push(`no answer from ${[...left.keys()].join(' ')}`);
  for (let n = 0; n < 40 && rows.some((row) => readBoard(master).get(row, 'connections') > 0); n += 1) await sleep(250);
  const end = readBoard(master);
  for (const row of rows) if (end.get(row, 'connections') !== 0 || end.get(row, 'requestsInFlight') !== 0) wrong.push(`row ${row}: ${end.get(row, 'connections')} connections, ${end.get(row, 'requestsInFlight')} requests in flight, with no client left`);
  return wrong;
}

function get(port: number, path: string, agent?: http.Agent): Promise<string> {
  const began = performance.now();
  return new Promise((resolve, fail) => {
    const reject = (error: Error): void => {
      error.message += ` (${path}, ${agent === undefined ? 'new' : request.reusedSocket ? 'kept' : 'to be kept'}, after ${Math.round(performance.now() - began)} ms)`;
      fail(error);
    };
    const request = http.get({ host: '127.0.0.1', port, path, agent: agent ?? false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve(body)).on('error', reject);
    });
    request.on('error', reject).setTimeout(60_000, () => request.destroy(new Error(`no answer to ${path} in time`)));
  });
}

class Load {
  readonly #clients: Promise<void>[];
  #asked = 0;
  readonly #lost: string[] = [];
  #stopped = false;

  constructor(port: number) {
    const agents = Array.from({ length: CLIENTS.kept }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    this.#clients = [
      ...Array.from({ length: CLIENTS.once }, () => this.#repeat(() => get(port, '/'))),
      ...agents.map((agent) => this.#repeat(() => kept(port, agent)).finally(() => agent.destroy())),
      ...Array.from({ length: CLIENTS.slow }, () => this.#repeat(() => get(port, '/slow'))),
      ...Array.from({ length: CLIENTS.rude }, () => this.#repeat(() => rude(port))),
    ];
  }

  async #repeat(once: () => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      this.#asked += 1;
      await once().catch((error: Error) => this.#lost.push(error.message));
      await sleep(20 + Math.random() * 40);
    }
  }

  async stop(): Promise<{ asked: number; lost: string[] }> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    return { asked: this.#asked, lost: this.#lost };
  }
}

/** A kept connection may be closed, by its time or by a reload, in the moment it is used again: clients ask once more then. */
async function kept(port: number, agent: http.Agent): Promise<void> {
  try {
    await get(port, '/', agent);
  } catch (error) {
    if (!['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await get(port, '/', agent);
  }
}

/** Connects and resets: at once, in the middle of the head of a request, or without waiting for the answer. */
function rude(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      const what = ['', 'GET / HTTP/1.1\r\nHo', 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'][Math.floor(Math.random() * 3)]!;
      if (what !== '') socket.write(what);
      setTimeout(() => socket.resetAndDestroy(), what === '' ? 0 : Math.random() * 30);
    });
    socket.on('error', () => {}).on('close', () => resolve());
  });
}

compile('board');
const results = await Promise.all(strategies.map((strategy) => soak(strategy)));
for (const { strategy, wrong, said } of results) console.log(`${strategy.padEnd(10)} ${wrong.length === 0 ? 'ok    ' : 'WRONG '} ${said}${wrong.map((what) => `\n           - ${what}`).join('')}`);
process.exitCode = results.some(({ wrong }) => wrong.length > 0) ? 1 : 0;
