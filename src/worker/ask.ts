/**
 * Asking the master for sockets, blocking: listen() is synchronous. What the master says meanwhile is kept for the next turn of the loop.
 * In the worker.
 */
import { constants } from 'node:os';
import type { ListenAnswer } from '../accept/intercept.js';
import type { HandedSocket } from '../accept/strategy.js';
import type { ListenQuestion, MasterMessage, SocketGrant } from '../ipc/messages.js';
import type { MasterChannel } from './last-words.js';
import { RAISE_OPEN_FILES } from '../errors.js';

/** Ours, whatever an app puts in its place (fake timers). */
const nextTurn = setImmediate;
/** The master retries a port that is in use for 5 s. */
const LISTEN_TIMEOUT_MS = 60_000;

export interface AskOptions {
  channel: MasterChannel;
  /** Of what came while listen() waited, one turn later, and of all else, in the order in which it came. */
  onMessage: (message: MasterMessage, fds: number[]) => void;
  /** One of these is `quit`, and the turn in between may accept. */
  onQuit: () => void;
  /** While listen() waits. */
  onMasterGone: () => void;
}

export class Asker {
  readonly #options: AskOptions;
  #id = 0;
  #deferred: { message: MasterMessage; fds: number[] }[] = [];

  constructor(options: AskOptions) {
    this.#options = options;
  }

  ask(question: ListenQuestion): ListenAnswer {
    const { channel, onQuit, onMasterGone } = this.#options;
    const id = this.#id++;
    channel.send({ type: 'listen', id, ...question });
    for (;;) {
      const received = channel.receiveSync(LISTEN_TIMEOUT_MS);
      if (received === 'timeout') return { errno: -constants.errno.ETIMEDOUT, message: 'cannot listen: the master does not answer' };
      if (received === 'closed') {
        onMasterGone();
        return { errno: -constants.errno.EPIPE, message: 'cannot listen: the master is gone' };
      }
      const { message, fds } = received;
      if (message.type === 'listening' && message.id === id) {
        const sockets = handed(message.sockets, fds);
        if (sockets !== undefined) return { key: message.key, sockets };
        channel.send({ type: 'closed', key: message.key });
        return { errno: -constants.errno.EMFILE, message: 'cannot listen: this process may open no more files', remedy: RAISE_OPEN_FILES };
      }
      if (message.type === 'listen-failed' && message.id === id) return message;
      if (message.type === 'quit') onQuit();
      if (this.#deferred.push({ message, fds }) === 1) nextTurn(() => this.#handleDeferred());
    }
  }

  /** A message that the loop has found: after those that have waited for it to turn. */
  receive(message: MasterMessage, fds: number[]): void {
    this.#handleDeferred();
    this.#options.onMessage(message, fds);
  }

  #handleDeferred(): void {
    for (const { message, fds } of this.#deferred.splice(0)) this.#options.onMessage(message, fds);
  }
}

/** Sockets of a message, each with its descriptor; undefined when this process may not open so many, and so got none. */
export function handed(sockets: readonly SocketGrant[], fds: readonly number[]): HandedSocket[] | undefined {
  if (fds.length < sockets.length) return undefined;
  return sockets.map((grant, i) => ({ grant, fd: fds[i]! }));
}
