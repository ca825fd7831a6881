/**
 * Flags that other servers and process managers have (Gunicorn, Uvicorn, PM2, Node's own --watch) and drover has not, each with what to do instead.
 *
 * Rank 1. In the master.
 */

/** `value`: what followed the flag, where that can have been meant for it; else what stands for it. */
type Hint = string | ((value: string | undefined) => string);

const port = (value = ''): string => {
  const number = /^\d+$/.test(value) ? value : 'PORT';
  return `That is --bind 127.0.0.1:${number}; for all interfaces --bind :${number}, or PORT=${number} in the environment.`;
};
const host = (value = 'HOST'): string => `That is --bind ${value.includes(':') ? `[${value}]` : value}:8000, or HOST=${value} in the environment.`;
const workers = (value = ''): string => `That is --workers ${/^(?:max|0|-1)$/.test(value) ? 'auto' : /^\d+$/.test(value) ? value : 'N'}.`;
const node = (flag: string, stands: string) => (value = stands): string => `That is --node-args "${flag} ${value}".`;

const WATCH = 'drover watches no files: send it HUP for a reload without loss. For developing, a script that listens by itself can be run by node --watch.';
const DAEMON = 'drover stays in the foreground: let systemd, Docker or another supervisor run it.';
const USER = 'drover changes no user: start it as that user, as systemd (User=), Docker (--user) and setpriv do.';
const THREADS = 'A worker has one thread for JavaScript: give it more processes by --workers N, or auto.';
const OUTPUT = "What the app writes goes to drover's own standard output and error; drover's log is --log-file.";
const RESTARTS = 'A worker that dies is replaced at once, and after a pause that grows when it keeps dying; there is nothing to set.';

const HINTS: Readonly<Record<string, Hint>> = {
  // Where to listen.
  '--port': port,
  '-P': port,
  '--host': host,
  '-H': host,
  '--hostname': host,
  '--listen': (value = 'HOST:PORT') => `That is --bind ${value}.`,
  '--address': (value = 'HOST:PORT') => `That is --bind ${value}.`,
  '--socket': (value = 'PATH') => `That is --bind unix:${value}.`,
  '--uds': (value = 'PATH') => `That is --bind unix:${value}.`,
  '--fd': (value = 'N') => `That is --bind fd://${value}.`,
  '--reuse-port': 'That is --accept-strategy reuseport, which TCP has by itself.',
  '--proxy-allow-ips': (value = 'ADDRESSES') => `That is --proxy-allow-from ${value}.`,
  '--proxy-headers': 'Headers of a proxy at 127.0.0.1 or a unix socket are believed by themselves; for others: --forwarded-allow-ips ADDRESSES.',
  '--root-path': (value = '/PREFIX') => `That is --script-name ${value}.`,
  // The processes.
  '--instances': workers,
  '-i': workers,
  '--processes': workers,
  '--threads': THREADS,
  '--preload': 'Each worker loads the app for itself: a process of Node cannot be forked with what it has loaded.',
  '--preload-app': 'Each worker loads the app for itself: a process of Node cannot be forked with what it has loaded.',
  '--exec-mode': 'drover runs every app in workers that share its sockets; --workers says how many.',
  '--daemon': DAEMON,
  '-D': DAEMON,
  '--no-daemon': 'drover stays in the foreground by itself: leave it out.',
  '--user': USER,
  '-u': USER,
  '--group': USER,
  '-g': USER,
  '--uid': USER,
  '--gid': USER,
  '--max-memory-restart': '--node-args "--max-old-space-size=MiB" bounds the heap, and a worker that runs out of it is replaced; of other memory there is no limit.',
  '--max-restarts': RESTARTS,
  '--restart-delay': RESTARTS,
  '--no-autorestart': RESTARTS,
  '--limit-max-requests': (value = 'N') => `That is --max-requests ${value}.`,
  '--limit-concurrency': (value = 'N') => `That is, per worker, --worker-connections ${value} or --worker-concurrency ${value}.`,
  // Reloads and times.
  '--reload': WATCH,
  '--watch': WATCH,
  '--kill-timeout': 'That is --graceful-timeout TIME, in seconds or with a unit (1600ms).',
  '--listen-timeout': 'That is --boot-timeout TIME, in seconds or with a unit (8000ms).',
  '--wait-ready': 'drover waits by itself until the app listens: leave it out. How long: --boot-timeout.',
  '--timeout-keep-alive': (value = 'TIME') => `That is --keep-alive ${value}.`,
  // TLS.
  '--cert': (value = 'FILE') => `That is --certfile ${value}.`,
  '--key': (value = 'FILE') => `That is --keyfile ${value}.`,
  '--ssl-certfile': (value = 'FILE') => `That is --certfile ${value}.`,
  '--ssl-keyfile': (value = 'FILE') => `That is --keyfile ${value}.`,
  '--ssl-version': 'That is --tls-min-version and --tls-max-version.',
  // Files and logs.
  '--cwd': (value = 'DIR') => `That is --chdir ${value}.`,
  '--access-log': 'That is --access-logfile FILE; - for standard output.',
  '--capture-output': OUTPUT,
  '--output': OUTPUT,
  '-o': OUTPUT,
  '--log': (value = 'FILE') => `That is --log-file ${value}; what the app writes goes to standard output and error.`,
  '-l': (value = 'FILE') => `That is --log-file ${value}; what the app writes goes to standard output and error.`,
  '--verbose': 'That is --log-level debug.',
  '-V': 'That is --version or -v.',
  // Node's.
  '--inspect': 'That is --node-args --inspect, with -w 1 for its port and --timeout 0, as a breakpoint stops the event loop.',
  '--require': node('--require', 'MODULE'),
  '-r': node('--require', 'MODULE'),
  '--import': node('--import', 'MODULE'),
  '--env-file': node('--env-file', 'FILE'),
  '--max-old-space-size': (value = 'MiB') => `That is --node-args "--max-old-space-size=${value}".`,
};

/** All that there is a hint for. */
export const foreignFlags: readonly string[] = Object.keys(HINTS);

/** What to do instead of a flag that drover does not have; `next`: the value it was given, or the word after it. */
export function hintForFlag(flag: string, next: string | undefined): string | undefined {
  const hint = Object.hasOwn(HINTS, flag) ? HINTS[flag]! : undefined;
  if (typeof hint !== 'function') return hint;
  return hint(next === undefined || next === '' || /^-(?!\d)/.test(next) ? undefined : next);
}

/** -p is the port with many others, here it is the pid file. */
export function hintForPort(flag: string, text: string): string | undefined {
  return flag === '-p' && /^\d+$/.test(text) ? `${port(text)} For a pid file of that name: -p ./${text}` : undefined;
}
