/**
 * Why a worker is dead: evidence in, one kind and one sentence out. Policy.
 *
 * Every sentence states what is known. Where the evidence ends, the sentence says what was looked at and what it showed.
 */
import { EXIT_CODES, RAISE_PROCESSES } from '../errors.js';
import type { SpawnFailure } from './spawn-failure.js';

export type DeathKind = 'exit' | 'uncaught' | 'heap-limit' | 'out-of-memory' | 'signal' | 'timeout' | 'boot';

/** Why the master killed it. */
export type KillReason = 'stuck' | 'boot-timeout' | 'grace' | 'quick-stop' | 'nonsense';

export interface Evidence {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** How far it had come. */
  phase: 'starting' | 'ready' | 'draining';
  /** It was told to stop and had to exit. */
  asked: boolean;
  /** The signals the master sent, and why. */
  killed: { reason: KillReason; signals: readonly NodeJS.Signals[]; detail: string } | undefined;
  /** The process could not even be started. */
  spawnFailure: SpawnFailure | undefined;
  /** Drover's own code in it had got as far as the board, and so was to say itself why it exits. */
  begun: boolean;
  /** --node-args. */
  nodeArgs: readonly string[];
  /** NODE_OPTIONS as the worker has it; '': none. */
  nodeOptions: string;
  bootFailed: { message: string; stack?: string | undefined } | undefined;
  /** See the message of that name. */
  fatal: { origin: 'uncaughtException' | 'unhandledRejection'; agoMs: number; message: string; stack: string } | undefined;
  /** What V8 reported when it ran out of heap. */
  heap: { limitBytes: number | undefined; stack: string | undefined } | undefined;
  /** Its memory cgroup, whether the kernel's counter of kills for memory has moved there for this death, and the limit it was killed for, if that is in sight. */
  cgroup: { dir: string; oomKilled: boolean; limit: { bytes: number; dir: string } | undefined } | undefined;
}

export interface Death {
  kind: DeathKind;
  cause: string;
  stack: string | undefined;
  /** Nothing went wrong: it did as it was told. */
  expected: boolean;
}

/** What node exits with when it is given an option that it does not know, or a value that it does not take. */
const BAD_OPTION = 9;

/** 128 and the number of TERM: what a program exits with that answers TERM and says so, as Next.js does. */
const BY_TERM = 143;

export function explainDeath(evidence: Evidence): Death {
  const { code, signal, killed, phase } = evidence;
  const unbegun = phase === 'starting' && !evidence.begun;
  const death = (kind: DeathKind, cause: string, stack?: string, expected = false): Death => ({ kind, cause, stack, expected });

  if (evidence.spawnFailure !== undefined) return death('boot', `its process could not be started: ${evidence.spawnFailure.what}`);

  if (killed !== undefined && signal !== null && killed.signals.includes(signal)) {
    const by = `killed by drover (${signal}): ${killed.detail}`;
    if (killed.reason === 'stuck') return death('timeout', by);
    // It may have said why just before.
    if (killed.reason === 'boot-timeout') return death('boot', evidence.bootFailed?.message ?? by, evidence.bootFailed?.stack);
    if (killed.reason === 'nonsense') return death('signal', by);
    return death('signal', by, undefined, true);
  }

  if (evidence.bootFailed !== undefined) return death('boot', evidence.bootFailed.message, evidence.bootFailed.stack);

  // Before anything that a signal alone could tell: V8 ends the process with SIGABRT or SIGTRAP when its heap is full.
  if (evidence.heap !== undefined && code !== 0) {
    const limit = evidence.heap.limitBytes === undefined ? '' : ` of ${megabytes(evidence.heap.limitBytes)}`;
    return death('heap-limit', `V8's heap limit${limit} was reached (--max-old-space-size, and the space for new objects); ended by ${signal ?? `exit code ${String(code)}`}`, evidence.heap.stack);
  }

  if (signal === 'SIGKILL' && evidence.cgroup?.oomKilled === true) {
    const { limit, dir } = evidence.cgroup;
    const of = limit === undefined ? `no limit of cgroup ${dir} or of those above it that can be seen was met: the machine's memory was exhausted, or that of a cgroup out of sight` : `limit ${megabytes(limit.bytes)} of cgroup ${limit.dir}`;
    return death('out-of-memory', `out of memory: the kernel killed it (${of})`);
  }

  const { fatal } = evidence;
  const thrown = fatal?.origin === 'unhandledRejection' ? 'unhandled rejection' : 'uncaught exception';
  if (fatal?.agoMs === 0 && code !== 0) return death('uncaught', `${thrown}: ${fatal.message}`, fatal.stack);

  if (signal !== null) {
    const counter = signal !== 'SIGKILL' ? '' : evidence.cgroup === undefined ? '; its memory cgroup has no counter to read' : `; the kernel's out-of-memory counter of cgroup ${evidence.cgroup.dir} did not move`;
    // As it does where a file that it has mapped is shorter than it was made.
    const addon = signal === 'SIGBUS' && unbegun ? "; if it is drover's native addon that is damaged, install drover again" : '';
    // Node aborts where it gets no thread as it starts, before there is a worker that could say so.
    const threads = signal === 'SIGABRT' && phase === 'starting' ? `; if it has written of uv_thread_create to standard error, ${RAISE_PROCESSES}` : '';
    return death('signal', `ended by ${signal}, which drover did not send${unbegun ? ', before the app was begun' : ''}${counter}${threads}${addon}`);
  }

  if (evidence.asked && (code === 0 || code === BY_TERM)) return death('exit', `as told, exit code ${code}${code === BY_TERM ? ', by which a program says that SIGTERM has ended it' : ''}`, undefined, true);
  if (fatal !== undefined && code !== 0) return death('uncaught', `it exited by itself with code ${String(code)}, ${fatal.agoMs} ms after the app's handler took an ${thrown}: ${fatal.message}`, fatal.stack);
  if (evidence.asked) return death('exit', `exit code ${String(code)} while it stopped as told`);
  if (unbegun) {
    const given = givenToNode(evidence);
    if (code === BAD_OPTION && given !== '') return death('boot', `node did not take its options and exited with code ${BAD_OPTION} before the app was begun: look at ${given}`);
    // As a rule it could not do what it was told to do first. Who leaves with 0, or because the master is gone, says nothing.
    const wrote = code === 0 || code === EXIT_CODES.masterGone.code ? '' : ', and has written why to standard error';
    return death('boot', `node exited with code ${String(code)} before the app was begun${wrote}${given === '' ? '' : `; it was given ${given}`}`);
  }
  if (phase === 'starting') return death('boot', `it exited by itself with code ${String(code)} before it was ready`);
  return death('exit', `it exited by itself with code ${String(code)}`);
}

function givenToNode({ nodeArgs, nodeOptions }: Evidence): string {
  return [nodeArgs.length === 0 ? '' : `--node-args ${JSON.stringify(nodeArgs.join(' '))}`, nodeOptions === '' ? '' : `NODE_OPTIONS ${JSON.stringify(nodeOptions)}`].filter(Boolean).join(' and ');
}

function megabytes(bytes: number): string {
  const mb = bytes / 2 ** 20;
  return `${mb >= 10 ? Math.round(mb) : Math.round(mb * 10) / 10} MiB`;
}
