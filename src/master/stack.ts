/**
 * The JavaScript stack a stuck worker is in. Runs in the master.
 *
 * SIGUSR1 opens the worker's inspector, which V8 can answer in the middle of any JavaScript, on a loopback port of the kernel's choice (the
 * worker has set process.debugPort to 0). Only that worker's process knows the port, so it is found as the listening socket that is new among
 * the worker's descriptors. Then: Debugger.enable, Debugger.pause, and the call frames of Debugger.paused. The worker is killed right
 * after, so the inspector is open for that moment only. `ws` is loaded when it is first needed.
 *
 * Where there is no JavaScript to stop (a system call that does not return, a native addon, a stopped process), the answer says so.
 */
import { closeSync, openSync, readFileSync, readSync, readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Stack = { stack: string } | { noStack: string };

const POLL_MS = 20;
const LOOK_MS = 100;
/** V8 answers at once, but its inspector's thread may have to wait long for a processor beside the loop that spins. */
const RUNNING_LIMIT_MS = 10_000;
/** A main thread that sleeps in a system call will not come to answer. */
const WAITING_LIMIT_MS = 1000;

export interface CallFrame {
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber: number };
}

/** Call frames as Node prints a stack; `urls` by script id. */
export function formatFrames(frames: readonly CallFrame[], urls: ReadonlyMap<string, string>): string {
  return frames
    .map(({ functionName, location }) => {
      const url = urls.get(location.scriptId) ?? '';
      const path = url.startsWith('file://') ? fileURLToPath(url) : url === '' ? '<anonymous>' : url;
      const place = `${path}:${location.lineNumber + 1}:${location.columnNumber + 1}`;
      return functionName === '' ? `    at ${place}` : `    at ${functionName} (${place})`;
    })
    .join('\n');
}

/** Ports of IPv4 loopback that listen, by socket inode, from the text of /proc/PID/net/tcp. */
export function loopbackListeners(table: string): Map<string, number> {
  const ports = new Map<string, number>();
  for (const line of table.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [, local, , state] = columns;
    const inode = columns[9];
    if (local === undefined || inode === undefined || state !== '0A') continue;
    const [address, port] = local.split(':');
    if (address === LOOPBACK && port !== undefined) ports.set(inode, Number.parseInt(port, 16));
  }
  return ports;
}

/** 127.0.0.1 as the kernel prints it: a big-endian word in the machine's own order. */
const LOOPBACK = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? '0100007F' : '7F000001';

/** Stop a worker's JavaScript and tell where it is. Takes RUNNING_LIMIT_MS at most, and less when the process does not run. Never rejects. */
export async function stackOf(pid: number): Promise<Stack> {
  const state = processState(pid);
  if (state === 'T' || state === 't') return { noStack: 'the process is stopped (SIGSTOP or a debugger)' };
  const abort = new AbortController();
  const started = performance.now();
  let waited = 0;
  const timer = setInterval(() => {
    waited = processState(pid) === 'R' ? 0 : waited + LOOK_MS;
    if (waited >= WAITING_LIMIT_MS || performance.now() - started >= RUNNING_LIMIT_MS) abort.abort();
  }, LOOK_MS);
  let opened = false;
  try {
    const before = socketInodes(pid);
    const openBefore = ownListeners(pid, before);
    process.kill(pid, 'SIGUSR1');
    const ofNew = newListener(pid, before, abort.signal).then((port) => {
      opened = true;
      return debuggerUrl(port, abort.signal);
    });
    const url = await Promise.any([ofNew, ...openBefore.map((port) => debuggerUrl(port, abort.signal))]);
    opened = true;
    const stack = await pausedStack(url, abort.signal);
    return stack === '' ? { noStack: `it runs no JavaScript: ${nativePlace(pid)}` } : { stack };
  } catch {
    if (processState(pid) === undefined) return { noStack: 'the process had ended' };
    return { noStack: `${opened ? 'its JavaScript could not be stopped' : 'its inspector did not open'} within ${Math.round(performance.now() - started)} ms: ${nativePlace(pid)}` };
  } finally {
    clearInterval(timer);
    abort.abort();
  }
}

/** Its letter: `R`, `S`, `T` when it is stopped; undefined: there is none. */
function processState(pid: number): string | undefined {
  try {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** By a signal, not by a debugger. */
export function isStopped(pid: number): boolean {
  return processState(pid) === 'T';
}

/** Where the main thread is, as far as /proc tells us. */
function nativePlace(pid: number): string {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8').trim();
    } catch {
      return '';
    }
  };
  const state = processState(pid);
  if (state === 'R') return 'the main thread is running native code';
  const wchan = read('wchan');
  const call = read('syscall').split(' ')[0];
  const where = [wchan !== '' && wchan !== '0' ? `in kernel function ${wchan}` : '', call !== undefined && /^\d+$/.test(call) ? `system call ${call}` : ''].filter((text) => text !== '');
  return `the main thread waits in native code (state ${state ?? 'unknown'}${where.length === 0 ? '' : `, ${where.join(', ')}`})`;
}

/** Inodes of a process's sockets. */
function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // closed meanwhile
    }
  }
  return inodes;
}

/**
 * The part of /proc/PID/net/tcp that tells of listening sockets. The kernel prints them first; the rest, one line for every connection of the
 * machine and every one that has ended a minute ago, takes a second to read on a busy server, and is asked for over and over here.
 */
function listeningTable(pid: number): string {
  const fd = openSync(`/proc/${pid}/net/tcp`, 'r');
  try {
    const buffer = Buffer.allocUnsafe(16 * 1024);
    for (let text = ''; ; ) {
      const bytes = readSync(fd, buffer);
      text += buffer.toString('latin1', 0, bytes);
      if (bytes === 0 || OTHER_STATE.test(text)) return text;
    }
  } finally {
    closeSync(fd);
  }
}

/** A line of the table whose state is not 0A, TCP_LISTEN. */
const OTHER_STATE = /^ *\d+: \S+ \S+ (?!0A)\S\S /m;

/** Ports that a worker listens at by itself, without us: an inspector that is open already is there, and SIGUSR1 opens no other. What else is there is as stuck as the worker. */
function ownListeners(pid: number, inodes: ReadonlySet<string>): number[] {
  const ours = socketInodes(process.pid);
  return [...loopbackListeners(listeningTable(pid))].filter(([inode]) => inodes.has(inode) && !ours.has(inode)).map(([, port]) => port);
}

/** Port of the first socket that is not in `before` and listens. */
async function newListener(pid: number, before: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
  for (;;) {
    const fresh = [...socketInodes(pid)].filter((inode) => !before.has(inode));
    // The table has every connection of the machine: it is read only when there is something to look for.
    if (fresh.length > 0) {
      const listeners = loopbackListeners(listeningTable(pid));
      for (const inode of fresh) {
        const port = listeners.get(inode);
        if (port !== undefined) return port;
      }
    }
    await pause(signal);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('out of time'));
    setTimeout(() => (signal.aborted ? reject(new Error('out of time')) : resolve()), POLL_MS);
  });
}

async function debuggerUrl(port: number, signal: AbortSignal): Promise<string> {
  // Not at start: from Node 22 on, importing http brings undici along, 16 MB for nothing.
  const { get } = await import('node:http');
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/json/list', signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          const url = (JSON.parse(text) as { webSocketDebuggerUrl?: string }[])[0]?.webSocketDebuggerUrl;
          if (url === undefined) reject(new Error('the inspector names no target'));
          else resolve(url);
        } catch (error) {
          reject(error as Error);
        }
      });
    }).on('error', reject);
  });
}

type InspectorMessage =
  | { method: 'Debugger.scriptParsed'; params: { scriptId: string; url: string } }
  | { method: 'Debugger.paused'; params: { callFrames: CallFrame[] } }
  | { method?: undefined };

async function pausedStack(url: string, signal: AbortSignal): Promise<string> {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(url, { perMessageDeflate: false });
  // Frames name scripts by number (their own url is empty); enabling the debugger announces them all.
  const urls = new Map<string, string>();
  try {
    return await new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('out of time')), { once: true });
      socket.on('error', reject);
      socket.on('open', () => {
        socket.send('{"id":1,"method":"Debugger.enable"}');
        socket.send('{"id":2,"method":"Debugger.pause"}');
      });
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as InspectorMessage;
        if (message.method === 'Debugger.scriptParsed') urls.set(message.params.scriptId, message.params.url);
        else if (message.method === 'Debugger.paused') resolve(formatFrames(message.params.callFrames, urls));
      });
    });
  } finally {
    socket.terminate();
  }
}
