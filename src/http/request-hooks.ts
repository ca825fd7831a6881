/**
 * The hooks preRequest and postRequest of the config file. In the worker; only there when the file defines one.
 *
 * What they throw, or reject with, is told once per hook in ten seconds, and stops nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Hooks } from '../config/hooks.js';
import { RateLimit } from '../log/rate-limit.js';
import { isBehind, whenSocket } from './files/turn.js';
import type { Policy, PolicyContext } from './policy.js';

export type RequestHooks = Pick<Hooks, 'preRequest' | 'postRequest'>;

export class RequestHookPolicy implements Policy {
  readonly #hooks: RequestHooks;
  readonly #limit: RateLimit<{ hook: string; message: string; stack: string }>;

  constructor(hooks: RequestHooks, { log }: PolicyContext) {
    this.#hooks = hooks;
    this.#limit = new RateLimit({ tell: (fields, count) => log('hook.failed', { ...fields, count }) });
  }

  request(request: IncomingMessage, response: ServerResponse): boolean {
    const { preRequest, postRequest } = this.#hooks;
    if (preRequest !== undefined) this.#call('preRequest', () => preRequest(request));
    if (postRequest !== undefined) {
      let called = false;
      const ended = (): void => {
        if (called) return;
        called = true;
        this.#call('postRequest', () => postRequest(request, response));
      };
      response.once('close', ended);
      // One that waits behind another when the connection ends is told nothing.
      if (isBehind(response)) whenSocket(response, () => {}, ended);
    }
    return false;
  }

  #call(hook: string, call: () => unknown): void {
    try {
      const result = call();
      if (typeof (result as Promise<unknown> | undefined)?.then === 'function') (result as Promise<unknown>).then(undefined, (error: unknown) => this.#failed(hook, error));
    } catch (error) {
      this.#failed(hook, error);
    }
  }

  #failed(hook: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#limit.note(hook, { hook, message, stack: (error instanceof Error && error.stack) || message });
  }
}
