// drover -k examples/worker-class/worker.mjs examples/hello/app.js
// A worker that names itself in every response, is patient with slow clients, and tells when it goes.

/** @import { WorkerClass, WorkerContext } from 'drover' */

/** @implements {WorkerClass} */
export default class {
  #slot;
  #served = 0;

  /** @param {WorkerContext} context */
  constructor({ slot }) {
    this.#slot = slot;
  }

  onServer(server) {
    server.headersTimeout = 120_000;
  }

  onRequest(request, response) {
    this.#served += 1;
    response.setHeader('x-worker', String(this.#slot));
  }

  onDrain() {
    process.stdout.write(`worker ${this.#slot} goes after ${this.#served} requests\n`);
  }
}
