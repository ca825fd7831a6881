/** Rows of the table of options (../options.ts): where to listen, and how connections are shared. */
import { DEFAULT_HOST, DEFAULT_PORT, defaultPlace, type ListenAddress } from '../address.js';
import { type DefaultContext, type Option } from '../option.js';

export const ACCEPT_STRATEGIES = ['auto', 'reuseport', 'exclusive', 'grant', 'lock', 'semaphore', 'shared'] as const;

export const LISTENING = [
  {
    name: 'bind',
    short: 'b',
    type: 'addresses',
    default: defaultBind,
    defaultSays: `HOST:PORT of the environment, else ${DEFAULT_HOST}:${DEFAULT_PORT}; a script's own address`,
    section: 'listening',
    reload: 'restart',
    placeholder: 'ADDRESS',
    help: `where to listen; may be repeated.
HOST:PORT, [IPV6]:PORT, HOST or [IPV6] (port ${DEFAULT_PORT}), :PORT (all interfaces), PORT (${DEFAULT_HOST}), unix:PATH, unix:@NAME (abstract), fd://N (an inherited listening socket). Host names are resolved once, at start. When an app calls listen() itself, its first listen() is served here; without --bind the app's own address counts.
Without --bind an app that does not call listen() is served at ${DEFAULT_HOST}:${DEFAULT_PORT}. The environment variables HOST and PORT (also those of --env) change that default, and nothing else: PORT alone means all interfaces (0.0.0.0:PORT), HOST alone keeps port ${DEFAULT_PORT}.
An address of --bind that is in use is tried again for 5 s. One that the app asks for, or that HOST, PORT or the default names, is refused at once: the app's listen() waits for the answer, and may have a way of its own to go on.
Sockets that systemd hands over (LISTEN_FDS, LISTEN_PID) are fd://3 and those after it, as if --bind named them, where neither a flag nor the config file does.`,
  },
  {
    name: 'backlog',
    type: 'int',
    min: 1,
    max: 65535,
    default: 2048,
    section: 'listening',
    reload: 'restart',
    help: `connections that may wait to be accepted, per socket.
The kernel cuts it to net.core.somaxconn; drover warns when it does.`,
  },
  {
    name: 'umask',
    short: 'm',
    type: 'mode',
    default: 0,
    section: 'listening',
    reload: 'restart',
    placeholder: 'MODE',
    help: `mode bits taken from unix sockets, in octal (022).
With 0, every user of the machine may connect, as with Gunicorn. Files that the app writes are not concerned.`,
  },
  {
    name: 'acceptStrategy',
    type: 'enum',
    values: ACCEPT_STRATEGIES,
    default: 'auto',
    section: 'listening',
    reload: 'restart',
    help: `how workers share connections; see docs/accept.md.
\`auto\`: \`reuseport\` for TCP, \`exclusive\` for unix sockets and inherited descriptors. \`reuseport\`: a socket per worker slot, and siblings that help out. \`exclusive\`: one socket, the kernel wakes one idle worker in turn. \`grant\`: one socket, the master picks the least loaded worker for each connection. \`lock\`, \`semaphore\`: one socket, polled by the one worker, or the few, that have a permit. \`shared\`: one socket, every idle worker is woken: for comparison.`,
  },
  {
    name: 'acceptPermits',
    type: 'int',
    min: 1,
    max: 16,
    default: 2,
    section: 'listening',
    reload: 'restart',
    help: `workers that poll the socket at a time under --accept-strategy semaphore.`,
  },
  {
    name: 'steer',
    type: 'enum',
    values: ['auto', 'least', 'weighted', 'hash', 'source'],
    default: 'auto',
    section: 'listening',
    reload: 'restart',
    help: `how reuseport chooses a worker for a connection: auto, least, weighted, hash or source.
\`least\`: the least loaded worker, by a program in the kernel; needs the capability CAP_BPF. \`weighted\`: at random, by shares that follow the loads; needs no privilege. \`hash\`: the kernel's hash of addresses and ports. \`source\`: a hash of the client's address, so that a client keeps its worker, for sessions in memory and Socket.IO's long polling. \`auto\`: \`least\` where it is permitted, else \`weighted\`; the log says which and why. See docs/accept.md.`,
  },
  {
    name: 'stallMs',
    type: 'int',
    min: 1,
    max: 60_000,
    default: 20,
    section: 'listening',
    reload: 'restart',
    help: `milliseconds out of poll after which a worker gets no new connections.
A worker whose event loop has been busy for so long is passed over until it waits for events again, and its siblings take what is in its queue. --steer hash sends it connections all the same, which its siblings take; with --steer source they wait for it.`,
  },
  {
    name: 'proxyProtocol',
    type: 'enum',
    values: ['off', 'v1', 'v2', 'auto'],
    bare: 'auto',
    default: 'off',
    section: 'listening',
    reload: 'respawn',
    help: `take clients' addresses from PROXY headers: off, v1, v2 or auto (alone: auto); see docs/proxy-protocol.md.
Every connection, at every address, must then begin with a header of that version (\`auto\`: of either); without one it is closed. For proxies that pass TCP on, as HAProxy and load balancers of clouds do.`,
  },
  {
    name: 'proxyAllowFrom',
    type: 'addressSet',
    default: ['127.0.0.1', '::1'],
    section: 'listening',
    reload: 'respawn',
    placeholder: 'ADDRESSES',
    help: `who may send PROXY headers: addresses and networks (CIDR), or *; may be repeated.
With --proxy-protocol, connections of everybody else are closed. Peers at unix sockets are trusted: who may connect there is a matter of file modes. \`*\` is for a network that lets nobody but the proxy connect: whoever may send a header can pretend to be any client.`,
  },
  {
    name: 'proxyTimeout',
    type: 'duration',
    minMs: 10,
    maxMs: 60 * 60 * 1000,
    default: 3000,
    section: 'listening',
    reload: 'respawn',
    help: `time for a PROXY header to come; then the connection is closed.
At most 1024 connections per worker wait for theirs; beyond that, the one that has waited longest is closed.`,
  },
] as const satisfies readonly Option[];

function defaultBind({ env }: DefaultContext): readonly ListenAddress[] {
  return [{ kind: 'tcp', ...defaultPlace(env) }];
}
