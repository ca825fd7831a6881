/** The master's part for a child that tests listen(): Listeners at the other end of a channel. In the test's own process. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Channel } from '../../../src/ipc/channel.js';
import type { MasterMessage, WorkerMessage } from '../../../src/ipc/messages.js';
import { Listeners } from '../../../src/accept/listeners.js';
import { check, closeFd, native } from '../../../src/native.js';
import type { AcceptStrategyName } from '../../../src/config/options.js';
import type { ListenAddress } from '../../../src/config/address.js';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));
/** A second slot, whose worker never accepts: its connections have to be taken from behind. */
const SIBLING = 1;

export interface Run {
  node: string;
  /** `plain`: Node's own sockets, to compare with. */
  strategy: AcceptStrategyName | 'plain';
  /** `cases`, or a scenario of child.ts that is about the whole process. */
  what: string;
  binds?: ListenAddress[];
  /** No sibling, whose sockets get their share of connections too, and nobody accepts them for it. */
  alone?: boolean;
  env?: Record<string, string>;
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export async function run({ node, strategy, what, binds = [], alone = false, env = {} }: Run): Promise<Outcome> {
  const listeners = strategy === 'plain' ? undefined : new Listeners({ strategy, backlog: 128, umask: null, emit: () => undefined });
  const pair = strategy === 'plain' ? undefined : check('socketpair', native.socketPair());
  try {
    if (binds.length > 0) await listeners?.openBinds(binds);
    const child = spawn(node, ['--no-warnings', CHILD, strategy, what], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe', ...(pair === undefined ? [] : [pair[1]])] });
    const finished = new Promise<Outcome>((resolve, reject) => {
      let stdout = '';
      let stderr = '';
      child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    const guard = setTimeout(() => child.kill('SIGKILL'), 120_000);
    if (pair !== undefined && listeners !== undefined) {
      closeFd(pair[1]);
      serve(pair[0], listeners, binds.length > 0, alone);
    }
    const outcome = await finished;
    clearTimeout(guard);
    return outcome;
  } finally {
    listeners?.closeAll();
  }
}

function serve(fd: number, listeners: Listeners, bindGiven: boolean, alone: boolean): void {
  const channel = new Channel<WorkerMessage, MasterMessage>(fd, ['listen', 'closed']);
  channel.start({
    onMessage(message, fds) {
      for (const stray of fds) closeSync(stray);
      void handle(message);
    },
    onClose: () => channel.close(),
    onNonsense: (why) => {
      throw new Error(why);
    },
  });

  async function handle(message: WorkerMessage): Promise<void> {
    if (message.type === 'closed') {
      listeners.release(message.key, 0);
      listeners.release(message.key, SIBLING);
    } else if (message.type === 'listen') {
      const granted = await listeners.grant(message, 0, bindGiven);
      if ('errno' in granted) {
        channel.send({ type: 'listen-failed', id: message.id, ...granted });
        return;
      }
      if (!alone) await listeners.grant(message, SIBLING, bindGiven);
      channel.send({ type: 'listening', id: message.id, key: granted.key, sockets: granted.sockets }, granted.fds);
      const siblings = listeners.siblings(0, 0);
      channel.send({ type: 'siblings', sockets: siblings.sockets }, siblings.fds);
    }
  }
}
