/**
 * Whether anything is lost while workers come and go: rolling restarts (HUP) one after the other and changes of the worker count (TTIN, TTOU) under load,
 * every accept strategy by itself.
 *
 *   node dist/bench/restarts.js [--restarts 1000] [--changes 100] [--strategy reuseport,grant] [--workers 2]
 *
 * The load: 8 clients with a new connection for each request and 8 that keep theirs, each asking again as soon as it is answered. Lost is whatever is refused, reset, closed
 * before the answer, timed out or not answered with 2xx; but for a kept connection that is closed just as it is used again, whose request was never begun.
 *
 * Exit code 1 when something was lost.
 */
import { parseArgs } from 'node:util';
import { ACCEPT_STRATEGIES } from '../src/config/options/listening.js';
import { compile } from './compile.js';
import { load, lost, type LoadOptions } from './load.js';
import { startLogged } from './logged.js';
import { APPS } from './paths.js';
import { freePort } from './rival.js';

const ROUND_SECONDS = 5;

const { values } = parseArgs({
  options: { restarts: { type: 'string', default: '1000' }, changes: { type: 'string', default: '100' }, strategy: { type: 'string' }, workers: { type: 'string', default: '2' } },
});

async function restarts(strategy: string): Promise<{ lost: number; said: string }> {
  const port = await freePort();
  const drover = startLogged([`${APPS}server.cjs`, '-w', values.workers, '-b', `127.0.0.1:${port}`, '--accept-strategy', strategy]);
  try {
    await drover.logged('master.ready', 1);
    const address = `127.0.0.1:${port}`;
    let over = false;
    const began = performance.now();
    const fresh = repeat(() => over, { mode: 'closed', address, connections: 8 });
    const kept = repeat(() => over, { mode: 'closed', address, connections: 8, keepalive: 1 });
    for (let n = 1; n <= Number(values.restarts); n += 1) {
      drover.signal('SIGHUP');
      await drover.logged('reload.finished', n);
    }
    const restartSeconds = Math.round((performance.now() - began) / 1000);
    for (let n = 1; n <= Number(values.changes); n += 1) {
      // Each is over before the next: the newcomer is ready, or the last worker has left.
      const event = n % 2 === 1 ? 'worker.ready' : 'worker.exited';
      const before = drover.count(event);
      drover.signal(n % 2 === 1 ? 'SIGTTIN' : 'SIGTTOU');
      await drover.logged(event, before + 1);
    }
    over = true;
    console.error(`${strategy}: restarts were over after ${restartSeconds} s`);
    const [one, other] = await Promise.all([fresh, kept]);
    return {
      lost: one.lost + other.lost,
      said: `${one.ok} connections of one request, ${one.lost} lost${one.how}; ${other.ok} kept-alive requests, ${other.lost} lost${other.how}; slowest ${Math.round(Math.max(one.maxMs, other.maxMs))} ms`,
    };
  } finally {
    await drover.stop();
  }
}

async function repeat(over: () => boolean, options: LoadOptions): Promise<{ ok: number; lost: number; maxMs: number; how: string }> {
  const sum = { ok: 0, lost: 0, maxMs: 0, how: '' };
  const began = performance.now();
  while (!over()) {
    const result = await load({ ...options, seconds: ROUND_SECONDS, timeoutMs: 20_000 });
    sum.ok += result.ok;
    const { stale, ...errors } = result.errors;
    const lostNow = lost(result) - stale;
    sum.lost += lostNow;
    if (lostNow > 0) {
      const kinds = Object.entries(errors).filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`);
      sum.how += ` (${kinds.join(', ')} around second ${Math.round((performance.now() - began) / 1000)})`;
    }
    sum.maxMs = Math.max(sum.maxMs, result.maxUs / 1000);
  }
  return sum;
}

compile('load');
for (const strategy of values.strategy?.split(',') ?? ACCEPT_STRATEGIES) {
  const result = await restarts(strategy);
  console.log(`${strategy.padEnd(10)} ${result.lost === 0 ? 'ok    ' : 'LOST  '} ${values.restarts} restarts, ${values.changes} changes of the worker count; ${result.said}`);
  if (result.lost > 0) process.exitCode = 1;
}
