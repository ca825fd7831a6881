/**
 * What has to stand before the app is loaded. Called by main.ts, which tells the master what it throws.
 *
 * Reads `init`, maps the shared memory, starts the heartbeat, sets the process up (title, report, signals, last words), takes listen() over, and
 * hands on to Worker. Nothing here or below may cost much: it is added to every app's time to boot and to its memory.
 */
import { getSystemErrorName } from 'node:util';
import { DroverError, EXIT_CODES, RAISE_OPEN_FILES } from '../errors.js';
import { installIntercept } from '../accept/intercept.js';
import type { ProxyProtocol } from '../accept/proxy-protocol.js';
import { permitsOf } from '../accept/strategies.js';
import { Admission } from '../http/admission.js';
import { Connections } from '../http/connections.js';
import { Requests } from '../http/requests.js';
import { rowOffset } from '../ipc/board.js';
import { mapBoard } from '../ipc/board-memory.js';
import { Channel } from '../ipc/channel.js';
import { InflightWriter } from '../ipc/inflight.js';
import type { MasterMessage } from '../ipc/messages.js';
import { threadRefused } from '../ipc/refused-by-system.js';
import { check, closeFd, native } from '../native.js';
import { sendFatal, type MasterChannel } from './last-words.js';
import { setProcessUp } from './process.js';
import { recycleAfter } from './recycle.js';
import { takeSignals } from './signals.js';
import { watchExceptions } from './exceptions.js';
import { Worker, type Init } from './worker.js';

const MASTER_MESSAGES = ['init', 'listening', 'listen-failed', 'siblings', 'unattended', 'bells', 'recheck', 'drain', 'quit', 'reopen-logs', 'ticket-keys'] as const satisfies readonly MasterMessage['type'][];
type Missing = Exclude<MasterMessage['type'], (typeof MASTER_MESSAGES)[number]>;
const everyTypeIsListed: [Missing] extends [never] ? true : Missing = true;
void everyTypeIsListed;

const INIT_TIMEOUT_MS = 30_000;
/** Of --timeout: a beat each quarter, as often as the master looks, and an idle loop turns each third. Within bounds, and at the upper ones without --timeout. */
const MIN_BEAT_MS = 250;
const MAX_BEAT_MS = 5_000;
const MAX_TURN_MS = 10_000;

/** Once. */
export function start(channelFd: number): void {
  const parentPid = process.ppid;
  const channel: MasterChannel = new Channel(channelFd, MASTER_MESSAGES);
  const { init, fds } = receiveInit(channel);
  const { config, row, slot } = init;

  const board = mapBoard(fds.board);
  const inflight = check('mmap', native.mapMemory(fds.inflight));
  closeFd(fds.board);
  closeFd(fds.inflight);
  check('startLoopStamp', native.startLoopStamp(board.buffer, rowOffset(row)));
  if (fds.wake !== undefined && fds.conductor !== undefined) {
    check('startWake', native.startWake(board.buffer, row, permitsOf(config.acceptStrategy, config.acceptPermits), fds.wake, fds.conductor));
  }
  const everyMs = (part: number, maxMs: number): number => (config.timeoutMs === 0 ? maxMs : Math.round(Math.min(Math.max(config.timeoutMs / part, MIN_BEAT_MS), maxMs)));
  const [beatMs, turnMs] = [everyMs(4, MAX_BEAT_MS), everyMs(3, MAX_TURN_MS)];
  const heartbeat = native.startHeartbeat(fds.heartbeat ?? -1, beatMs, turnMs, parentPid, config.gracefulTimeoutMs, EXIT_CODES.masterGone.code);
  const noThread = threadRefused(heartbeat);
  if (noThread !== undefined) throw noThread;
  check('startHeartbeat', heartbeat);

  const countAt = recycleAfter(config.maxRequests, config.maxRequestsJitter, Math.random());
  const limits = { connections: config.workerConnections, requests: config.workerConcurrency };
  // Made even without limits, for the board; but then nobody asks it.
  const admission = new Admission(board, row, { ...limits, hold: () => intercept.hold(), release: () => intercept.release() });
  const asked = limits.connections > 0 || limits.requests > 0 ? admission : undefined;
  const requests = new Requests(board, row, new InflightWriter(inflight, row), countAt, () => worker.onRequestLimit(countAt), asked);
  const connections = new Connections(board, row, asked);
  const worker = new Worker({ init, channel, board, requests, connections, certificatesFd: fds.certificates });

  setProcessUp(init, fds.report);
  takeSignals(() => worker.onTerm());
  watchExceptions({
    fatal(thrown, origin, agoMs) {
      // One that a handler has taken before is not why it exits while it boots, as a rule: that it exited is what is said.
      if (worker.booting && agoMs === 0) worker.bootFailed(thrown);
      sendFatal(channel, thrown, origin, agoMs);
    },
  });
  requests.closing = config.workerClass === 'sync';
  requests.start();
  const intercept = installIntercept({
    ask: (request) => worker.ask(request),
    boardBuffer: board.buffer,
    row,
    slot,
    onListening: (server) => worker.onListening(server),
    onAcceptError: (errno) => worker.onAcceptError(errno, getSystemErrorName(errno)),
    onServer: (server) => worker.onServer(server),
    onClosed: (key) => worker.onServerClosed(key),
    onSent: (socket, child, response) => worker.onSent(socket, child, response),
    proxy: () => proxy,
  });
  worker.start(intercept);
  let proxy: ProxyProtocol | undefined;
  // The app is a main module of its own: it begins when this one has ended.
  setImmediate(() => void boot());

  async function boot(): Promise<void> {
    const { proxyProtocol } = config;
    if (proxyProtocol !== 'off') proxy = (await import('./proxy.js')).readProxyHeaders(proxyProtocol, config, { board, row, connections, worker });
    await worker.boot();
  }
}

type InitFds = { board: number; inflight: number; heartbeat?: number; wake?: number; conductor?: number; certificates?: number; report?: number };

function receiveInit(channel: MasterChannel): { init: Init; fds: InitFds } {
  const received = channel.receiveSync(INIT_TIMEOUT_MS);
  if (typeof received === 'string') process.exit(EXIT_CODES.masterGone.code);
  const { message, fds } = received;
  if (message.type !== 'init') throw new Error(`the master began with ${message.type}`);
  if (fds.length < message.fds.length) throw new DroverError('ERR_DROVER_OPEN_FILES', `the ${native.descriptorLimit()} open files that a worker may have are all in use before it begins`, RAISE_OPEN_FILES);
  const named = Object.fromEntries(message.fds.map((name, i) => [name, fds[i]!])) as unknown as InitFds;
  return { init: message, fds: named };
}
