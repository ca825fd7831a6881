/** Rows of the table of options (../options.ts): the worker processes. */
import { grantedCpus } from '../cpus.js';
import { MAX_WORKERS, type Option } from '../option.js';

export const WORKERS = [
  {
    name: 'workers',
    short: 'w',
    env: 'WEB_CONCURRENCY',
    type: 'int',
    min: 1,
    max: MAX_WORKERS,
    words: { auto: () => grantedCpus() },
    default: 1,
    section: 'workers',
    reload: 'live',
    placeholder: 'N|auto',
    help: `number of worker processes; auto: one per CPU that the cgroup grants.
\`auto\` is the smallest of the CPU quota of the cgroup and its parents (rounded up), and the CPUs that may be used (cpuset, affinity).`,
  },
  {
    name: 'workerClass',
    short: 'k',
    type: 'module',
    names: ['http', 'sync'],
    default: 'http',
    section: 'workers',
    reload: 'respawn',
    placeholder: 'CLASS',
    help: `what a worker is: http, sync, or the path of a module with a class of yours.
\`http\`: many requests at a time, as Node does. \`sync\`: one request at a time, and \`Connection: close\` on every response: for apps that block the event loop, behind a proxy that buffers; it means --worker-concurrency 1 and refuses another. A path (with a slash, or ending in .js, .mjs, .cjs, .ts, .mts or .cts): see docs/worker-class.md.`,
  },
  {
    name: 'workerConnections',
    type: 'int',
    min: 0,
    max: 1_000_000,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `connections a worker may have open at a time; 0: no limit.
At the limit it takes no new one until one has closed; what comes meanwhile is taken by other workers or waits in the kernel's queue (--backlog). Idle keep-alive connections and WebSockets count. While all workers are at it and connections wait, the log says so (\`workers.full\`).`,
  },
  {
    name: 'workerConcurrency',
    type: 'int',
    min: 0,
    max: 1_000_000,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `HTTP requests in flight at which a worker takes no new connection; 0: no limit.
1 is one request at a time, as Gunicorn's sync workers. A connection that was just accepted counts as a request until its first request has begun, or for a second. Idle keep-alive connections do not count, and a request on one is served even at the limit (\`-k sync\` closes them); so is one that comes later than that second on a silent connection.`,
  },
  {
    name: 'maxRequests',
    type: 'int',
    min: 0,
    max: 2 ** 53 - 1,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `requests after which a worker is replaced; 0: never.
The successor is ready before the worker drains. A worker whose connections stay open for long (WebSockets, event streams) stays beside it, at most for \`--graceful-timeout\`.`,
  },
  {
    name: 'maxRequestsJitter',
    type: 'int',
    min: 0,
    max: 2 ** 53 - 1,
    default: 0,
    section: 'workers',
    reload: 'respawn',
    help: `adds up to N, at random per worker, to --max-requests.
So that the workers are not all replaced at the same time.`,
  },
  {
    name: 'reloadParallel',
    type: 'int',
    min: 1,
    max: MAX_WORKERS,
    default: 1,
    section: 'workers',
    reload: 'live',
    help: `successors that boot at the same time during a reload.
A successor boots beside the worker it replaces: this bounds the memory of a reload.`,
  },
  {
    name: 'workerTmpDir',
    type: 'path',
    kind: 'directory',
    default: null,
    defaultSays: 'the first writable tmpfs of /dev/shm, /run and the system\'s temporary directory',
    section: 'workers',
    reload: 'restart',
    placeholder: 'DIR',
    help: `directory of the heartbeat files; best on a tmpfs.
When it cannot be used, drover says so and judges liveness without files.`,
  },
] as const satisfies readonly Option[];
