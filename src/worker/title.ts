/** How a worker's process calls itself; its app and slot follow. */
export const WORKER_TITLE = 'drover: worker';
