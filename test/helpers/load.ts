/**
 * A bounded load: so many clients ask one after the other until they are stopped, half of them over one kept-alive connection each,
 * half over a new connection per request. Whatever a user would call a lost request is kept: an error, a reset, a premature end, an
 * answer that is not the right one, no answer at all.
 */
import http from 'node:http';
import https from 'node:https';
import type { ExecutionContext } from 'ava';
import type { Address } from './drover.js';
import { get, type Answer } from './http.js';

export interface LoadOptions {
  clients?: number;
  /** What a client waits between two requests: keeps two cores from being all client. */
  pauseMs?: number;
  path?: string;
  tls?: boolean;
  /** Whether an answer is right; status 200 unless told. */
  check?: (answer: Answer) => boolean;
}

export interface LoadResult {
  ok: number;
  lost: string[];
  /** How often each body was answered. */
  bodies: Map<string, number>;
}

export class Load {
  readonly result: LoadResult = { ok: 0, lost: [], bodies: new Map() };
  readonly #agents: http.Agent[] = [];
  readonly #clients: Promise<void>[];
  #stopped = false;
  #asked = 0;
  #waiting: { asked: number; done: () => void }[] = [];

  constructor(address: Address, options: LoadOptions = {}) {
    const clients = options.clients ?? 32;
    this.#clients = Array.from({ length: clients }, (_, n) => this.#client(address, options, n % 2 === 0));
  }

  async #client(address: Address, options: LoadOptions, keepAlive: boolean): Promise<void> {
    const check = options.check ?? ((answer) => answer.status === 200);
    const agent = keepAlive ? new (options.tls === true ? https : http).Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    if (agent !== undefined) this.#agents.push(agent);
    const kind = keepAlive ? 'keep-alive' : 'new connection';
    while (!this.#stopped) {
      try {
        const answer = await get(address, options.path ?? '/', { tls: options.tls === true, ...(agent === undefined ? {} : { agent }) });
        if (check(answer)) {
          this.result.ok += 1;
          this.result.bodies.set(answer.body, (this.result.bodies.get(answer.body) ?? 0) + 1);
        } else this.result.lost.push(`${kind}: wrong answer ${answer.status} ${answer.body.slice(0, 200)}`);
      } catch (error) {
        this.result.lost.push(`${kind}: ${(error as NodeJS.ErrnoException).code ?? ''} ${(error as Error).message}`);
      }
      this.#asked += 1;
      this.#waiting = this.#waiting.filter(({ asked, done }) => {
        if (this.#asked < asked) return true;
        done();
        return false;
      });
      await new Promise((resolve) => setTimeout(resolve, options.pauseMs ?? 40));
    }
  }

  /** Wait until `more` further requests have been answered, or lost. */
  asked(more: number): Promise<void> {
    return new Promise((done) => this.#waiting.push({ asked: this.#asked + more, done }));
  }

  /** Stop with the test, whatever becomes of it. */
  static run(t: ExecutionContext<any>, address: Address, options?: LoadOptions): Load {
    const load = new Load(address, options);
    t.teardown(() => load.stop());
    return load;
  }

  /** Let every client finish its request, then tell the counts. */
  async stop(): Promise<LoadResult> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    for (const agent of this.#agents) agent.destroy();
    return this.result;
  }
}
