/** Run as a main module by run-main.ts, right after the app, to learn that node has begun to load the app. */
const kBegun = Symbol.for('drover.main.begun');
const { [kBegun]: begun } = globalThis as unknown as Record<symbol, () => void>;
delete (globalThis as unknown as Record<symbol, unknown>)[kBegun];
begun!();
export {};
