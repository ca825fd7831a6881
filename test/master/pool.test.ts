import test from 'ava';
import type { LoadedConfig } from '../../src/config/load.js';
import type { Context } from '../../src/master/context.js';
import { Pool } from '../../src/master/pool.js';
import { FIRST_DELAY_MS } from '../../src/master/respawn.js';

test('the pause after a death that ends while the master is busy is not slept through', (t) => {
  const pool = new Pool({} as Context, { config: { workers: 1, reloadParallel: 1 } } as LoadedConfig, async () => {}, () => {});
  pool.respawn(0).died(1_000, 0);
  pool.restore(1_000);
  t.is(pool.workers.size, 0, 'it is paused');
  // Whatever the clock says by now: nothing has looked since.
  t.is(pool.nextWake(), 1_000 + FIRST_DELAY_MS);
  pool.forgive();
  t.is(pool.nextWake(), Infinity);
});
