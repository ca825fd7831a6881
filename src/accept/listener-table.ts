/**
 * The listeners there are, and which of them serves what a worker asks for. In the master; opens and closes nothing itself.
 *
 * A listener is a key and one address, or several: those of --bind together are the listener `bind`. What a worker asks for has a name, so that the same
 * listen() in another worker, or after a reload, gets the same sockets.
 */
import { constants } from 'node:os';
import { overlap, type ListenAddress } from '../config/address.js';
import type { BoundAddress, ListenQuestion } from '../ipc/messages.js';
import { formatAsked, formatBound } from './bound.js';
import type { Bind } from './open.js';
import type { Refusal } from './refusal.js';

export interface Listener {
  readonly key: string;
  readonly binds: readonly Bind[];
  /** Workers of which a server of the app listens here: row to slot. */
  readonly users: Map<number, number>;
  /** The app has closed one, and none has been opened since. A worker that dies says nothing of the kind: its successor will want the address. */
  released: boolean;
}

/** Key of the listener of all --bind. */
export const BIND = 'bind';

export class ListenerTable {
  readonly #listeners = new Map<string, Listener>();
  /** What workers have asked for (see nameOf) to the key they got. */
  readonly #names = new Map<string, string>();
  /** How many times each key has been wanted. */
  readonly #opened = new Map<string, number>();
  /** Key of what the first server of the app got, the first time one listened. */
  #first: string | undefined;

  /** In the order in which they were added. */
  all(): Listener[] {
    return [...this.#listeners.values()];
  }

  get(key: string): Listener | undefined {
    return this.#listeners.get(key);
  }

  addBinds(binds: readonly Bind[]): void {
    this.#add(BIND, binds);
  }

  /** Opened for what a worker has asked for. */
  addFor(question: ListenQuestion, bind: Bind): Listener {
    const name = nameOf(question);
    const listener = this.#add(this.#freshKey(question.port === 0 && question.path === null ? name : keyOf(bind.address)), [bind]);
    this.#names.set(name, listener.key);
    return listener;
  }

  delete(key: string): void {
    this.#listeners.delete(key);
    for (const [name, named] of this.#names) if (named === key) this.#names.delete(name);
  }

  /** The listener that serves what a worker asks for, if there is one. */
  serving(question: ListenQuestion): Listener | undefined {
    const name = nameOf(question);
    const known = this.#listeners.get(this.#names.get(name) ?? '') ?? this.#boundAt(question) ?? this.#insteadOfAny(question);
    if (known !== undefined) this.#names.set(name, known.key);
    return known;
  }

  /** A worker has got this one. */
  granted(question: ListenQuestion, { key }: Listener): void {
    if (question.ordinal === 0 && question.path === null && !this.#listeners.has(this.#first ?? '')) this.#first = key;
  }

  /**
   * A program that looks for a free port at several addresses (get-port) finds in each worker that those before it have the port. What is refused for that is
   * explained by it.
   */
  explainByOurs({ address, port, path, ipv6Only }: ListenQuestion, refusal: Refusal): Refusal {
    if (path !== null || refusal.errno !== -constants.errno.EADDRINUSE) return refusal;
    const asked: ListenAddress = { kind: 'tcp', host: address ?? '::', port };
    const bounds = this.all().flatMap(({ key, binds }) => binds.map((bind) => ({ ...bind.address, isGiven: key === BIND })));
    const ours = bounds.find((bound) => bound.family !== 'unix' && (bound.family === 'IPv6' || !ipv6Only) && overlap(asked, { kind: 'tcp', host: bound.address, port: bound.port }) !== undefined);
    if (ours === undefined) return refusal;
    return {
      ...refusal,
      reason: `the app listens at ${formatBound(ours)} already, in this worker or in another`,
      remedy: ours.isGiven
        ? 'That is an address of --bind, which the first server of the app is served at: give this one another.'
        : 'An app that looks for a free port finds it taken by its other workers: give it its address with --bind.',
    };
  }

  #add(key: string, binds: readonly Bind[]): Listener {
    const listener = { key, binds, users: new Map<number, number>(), released: false };
    this.#listeners.set(key, listener);
    return listener;
  }

  /** A key is never used again: a message about sockets that were closed may still be on its way when the address is opened anew. */
  #freshKey(wanted: string): string {
    const times = (this.#opened.get(wanted) ?? 0) + 1;
    this.#opened.set(wanted, times);
    return times === 1 ? wanted : `${wanted} (${times})`;
  }

  /**
   * A listener that is bound at just the address asked for, under another name: a port that listen(0) got and the app then asks for by its
   * number; `::` for null.
   */
  #boundAt(question: ListenQuestion): Listener | undefined {
    if (question.path === null && question.port === 0) return undefined;
    const wanted = formatAsked(question);
    return this.all().find(({ key, binds }) => key !== BIND && formatBound(binds[0]!.address) === wanted);
  }

  /**
   * A program that finds its port taken and takes any (`serve` does) has found it taken by itself in another worker: as the first server
   * of its process it gets what the first server of that worker got.
   */
  #insteadOfAny({ first, port, path }: ListenQuestion): Listener | undefined {
    return first && port === 0 && path === null ? this.#listeners.get(this.#first ?? '') : undefined;
  }
}

/** What a worker asks for, so that the same listen() in another worker, or after a reload, gets the same sockets. */
function nameOf({ ordinal, address, port, path, ipv6Only }: ListenQuestion): string {
  if (path !== null) return `unix:${path}`;
  return `tcp:${address ?? '*'}:${port === 0 ? `0#${ordinal}` : port}${ipv6Only ? ':ipv6only' : ''}`;
}

function keyOf(address: BoundAddress): string {
  return address.family === 'unix' ? formatBound(address) : `tcp:${formatBound(address)}`;
}
