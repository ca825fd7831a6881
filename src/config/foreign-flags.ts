/**
 * Flags that other servers and process managers have (Gunicorn, Uvicorn, PM2, Node's own --watch) and drover has not, each with what to do instead.
 *
 * Rank 1. In the master.
 */

import { codeSpan, printable, shellWord } from './shell-words.js';

/** `value`: what followed the flag, where that can have been meant for it; else what stands for it. */
type Hint = string | ((value: string | undefined) => string);

/** A replacement as it is to be typed. */
const is = (...flags: string[]): string => `That is ${flags.map(codeSpan).join(' or ')}.`;
/** The flag of ours, with the same value. */
const same = (flag: string, stands: string, glue = ' ') => (value = stands): string => is(`${flag}${glue}${shellWord(value)}`);

const port = (value = ''): string => {
  const number = /^\d+$/.test(value) ? value : 'PORT';
  return `That is \`--bind 127.0.0.1:${number}\`; for all interfaces \`--bind :${number}\`, or \`PORT=${number}\` in the environment.`;
};
const host = (value = 'HOST'): string => `That is ${codeSpan(`--bind ${shellWord(`${value.includes(':') ? `[${value}]` : value}:8000`)}`)}, or ${codeSpan(`HOST=${shellWord(value)}`)} in the environment.`;
const workers = (value = ''): string => is(`--workers ${/^(?:max|0|-1)$/.test(value) ? 'auto' : /^\d+$/.test(value) ? value : 'N'}`);
/** In its double quotes a shell reads no escapes. */
const node = (flag: string, stands: string, glue = ' ') => (value = stands): string => is(`--node-args "${flag}${glue}${printable(value) === value ? shellWord(value) : stands}"`);

const WATCH = 'drover watches no files: send it HUP for a reload without loss. For developing, a script that listens by itself can be run by `node --watch`.';
const CRON = 'Let a timer of systemd, or cron, send HUP to the master: that is a reload without loss.';
const FOREGROUND = 'drover stays in the foreground by itself: leave it out.';
const DAEMON = 'drover stays in the foreground: let systemd, Docker or another supervisor run it.';
const USER = 'drover changes no user: start it as that user, as systemd (User=), Docker (--user) and setpriv do.';
const THREADS = 'A worker has one thread for JavaScript: give it more processes by `--workers N`, or `--workers auto`.';
const OUTPUT = "What the app writes goes to drover's own standard output and error; drover's log is `--log-file`.";
const RESTARTS = 'A worker that dies is replaced at once, and after a pause that grows when it keeps dying; there is nothing to set.';

const SYSLOG = 'drover logs to standard error, or to `--log-file FILE`, and what runs it (systemd, Docker) hands that on to syslog.';
const LOGGER = "drover's log is a line of JSON for each event (docs/events.md): let what collects logs sort them and pass them on. `--log-level` says how much is logged.";
const STRICT = "There is nothing to set: what RFC 9112 or Node's parser does not take for a request is refused, as two programs might read it in two ways.";
const OF_NODE = 'Node does that by itself: leave it out.';
const APP = 'That is `app` in the config file, and APP on the command line.';
const SLOT = 'The number of a worker is in the variable NODE_APP_INSTANCE: there is nothing to set.';

const logFile = (value = 'FILE'): string => `${is(`--log-file ${shellWord(value)}`)} What the app writes goes to standard output and error.`;

const HINTS: Readonly<Record<string, Hint>> = {
  // Where to listen.
  '--port': port,
  '-P': port,
  '--host': host,
  '-H': host,
  '--hostname': host,
  '--listen': same('--bind', 'HOST:PORT'),
  '--address': same('--bind', 'HOST:PORT'),
  '--socket': same('--bind', 'PATH', ' unix:'),
  '--uds': same('--bind', 'PATH', ' unix:'),
  '--fd': same('--bind', 'N', ' fd://'),
  '--reuse-port': 'That is `--accept-strategy reuseport`, which TCP has by itself.',
  '--proxy-allow-ips': same('--proxy-allow-from', 'ADDRESSES'),
  '--proxy-headers': 'Headers of a proxy at 127.0.0.1 or a unix socket are believed by themselves; for others: `--forwarded-allow-ips ADDRESSES`.',
  '--root-path': same('--script-name', '/PREFIX'),
  '--http2-cleartext': 'That is `--http-protocols h1,h2` without a certificate, for clients that know beforehand that they may speak HTTP/2.',
  '--http-parser': OF_NODE,
  '--permit-obsolete-folding': STRICT,
  '--permit-unconventional-http-method': STRICT,
  '--permit-unconventional-http-version': STRICT,
  '--casefold-http-method': STRICT,
  '--strip-header-spaces': STRICT,
  // The app.
  '--wsgi-app': APP,
  '--script': APP,
  '--apps': "A config file of drover is one app's: its keys stand at the top.",
  '--args': 'That is `appArgs` in the config file, and `-- ARG...` on the command line.',
  '--raw-env': same('--env', 'NAME=VALUE'),
  '--update-env': 'Workers have the environment that drover was started with, and what `--env` and the config file add to it; a reload reads the config file again.',
  '--interpreter': 'The app runs under the Node that drover runs under: start drover with that one.',
  '--interpreter-args': same('--node-args', 'ARGS'),
  // The processes.
  '--instances': workers,
  '-i': workers,
  '--processes': workers,
  '--threads': THREADS,
  '--preload': 'Each worker loads the app for itself: a process of Node cannot be forked with what it has loaded.',
  '--preload-app': 'Each worker loads the app for itself: a process of Node cannot be forked with what it has loaded.',
  '--exec-mode': 'drover runs every app in workers that share its sockets; `--workers N` says how many.',
  '--daemon': DAEMON,
  '-D': DAEMON,
  '--no-daemon': FOREGROUND,
  '--attach': FOREGROUND,
  '--user': USER,
  '-u': USER,
  '--group': USER,
  '--initgroups': USER,
  '-g': USER,
  '--uid': USER,
  '--gid': USER,
  '--max-memory-restart': '`--node-args "--max-old-space-size=MiB"` bounds the heap, and a worker that runs out of it is replaced; of other memory there is no limit.',
  '--max-restarts': RESTARTS,
  '--restart-delay': RESTARTS,
  '--exp-backoff-restart-delay': RESTARTS,
  '--min-uptime': RESTARTS,
  '--no-autorestart': RESTARTS,
  '--limit-max-requests': same('--max-requests', 'N'),
  '--limit-concurrency': (value = 'N') => `${is(`--worker-connections ${shellWord(value)}`, `--worker-concurrency ${shellWord(value)}`)} Both are per worker.`,
  '--proc-name': same('--name', 'NAME'),
  '--instance-var': SLOT,
  '--increment-var': SLOT,
  // Reloads and times.
  '--reload': WATCH,
  '--reload-engine': WATCH,
  '--reload-extra-file': WATCH,
  '--reload-extra-files': WATCH,
  '--watch': WATCH,
  '--ignore-watch': WATCH,
  '--cron-restart': CRON,
  '--cron': CRON,
  '--kill-timeout': 'That is `--graceful-timeout TIME`, in seconds or with a unit (1600ms).',
  '--listen-timeout': 'That is `--boot-timeout TIME`, in seconds or with a unit (8000ms).',
  '--shutdown-with-message': 'An app that listens to SIGTERM is told by that; there is nothing to set.',
  '--wait-ready': 'drover waits by itself until the app listens: leave it out. How long: `--boot-timeout`.',
  '--timeout-keep-alive': same('--keep-alive', 'TIME'),
  // TLS.
  '--cert': same('--certfile', 'FILE'),
  '--key': same('--keyfile', 'FILE'),
  '--ssl-certfile': same('--certfile', 'FILE'),
  '--ssl-keyfile': same('--keyfile', 'FILE'),
  '--ssl-ca-certs': same('--ca-certs', 'FILE'),
  '--ssl-cert-reqs': same('--cert-reqs', 'REQS'),
  '--ssl-ciphers': same('--ciphers', 'LIST'),
  '--ssl-keyfile-password': 'That is `--keyfile-password`, or DROVER_KEYFILE_PASSWORD in the environment.',
  '--do-handshake-on-connect': OF_NODE,
  '--suppress-ragged-eofs': OF_NODE,
  '--ssl-version': 'That is `--tls-min-version` and `--tls-max-version`.',
  // Files and logs.
  '--cwd': same('--chdir', 'DIR'),
  '--access-log': 'That is `--access-logfile FILE`, with - for standard output.',
  '--accesslog': same('--access-logfile', 'FILE'),
  '--errorlog': logFile,
  '--capture-output': OUTPUT,
  '--enable-stdio-inheritance': OUTPUT,
  '-R': OUTPUT,
  '--out-file': OUTPUT,
  '--error-file': OUTPUT,
  '--error': OUTPUT,
  '--time': 'Each line of the log has its time: leave it out.',
  '--merge-logs': OUTPUT,
  '--log-syslog': SYSLOG,
  '--log-syslog-to': SYSLOG,
  '--log-syslog-prefix': SYSLOG,
  '--log-syslog-facility': SYSLOG,
  '--syslog': SYSLOG,
  '--syslog-addr': SYSLOG,
  '--disable-redirect-access-to-syslog': SYSLOG,
  '--log-config': LOGGER,
  '--log-config-json': LOGGER,
  '--logconfig': LOGGER,
  '--logger-class': LOGGER,
  '--output': OUTPUT,
  '-o': OUTPUT,
  '--log': logFile,
  '-l': logFile,
  '--verbose': is('--log-level debug'),
  '-V': is('--version', '-v'),
  // Node's.
  '--inspect': 'That is `--node-args --inspect`, with `-w 1` for its port and `--timeout 0`, as a breakpoint stops the event loop.',
  '--require': node('--require', 'MODULE'),
  '-r': node('--require', 'MODULE'),
  '--import': node('--import', 'MODULE'),
  '--env-file': node('--env-file', 'FILE'),
  '--max-old-space-size': node('--max-old-space-size', 'MiB', '='),
};

/** All that there is a hint for. */
export const foreignFlags: readonly string[] = Object.keys(HINTS);

/** What to do instead of a flag that drover does not have; `next`: the value it was given, or the word after it. */
export function hintForFlag(flag: string, next?: string): string | undefined {
  const hint = unprintedHint(flag, next);
  return hint === undefined ? undefined : printable(hint);
}

/** As hintForFlag(), with the control characters of `next` as they are. */
export function unprintedHint(flag: string, next?: string): string | undefined {
  const name = flag.replaceAll('_', '-');
  const hint = Object.hasOwn(HINTS, name) ? HINTS[name]! : undefined;
  if (typeof hint !== 'function') return hint;
  return hint(next === undefined || next === '' || /^-(?!\d)/.test(next) ? undefined : next);
}

/** -p is the port with many others, here it is the pid file. */
export function hintForPort(flag: string, text: string): string | undefined {
  return flag === '-p' && /^\d+$/.test(text) ? `${port(text)} For a pid file of that name: \`-p ./${text}\`` : undefined;
}
