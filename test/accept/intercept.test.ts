/** What the interception of listen() does that plain Node does not: --bind, siblings, drain. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { run } from './fidelity/master.js';

const node = process.execPath;

for (const strategy of ['shared', 'reuseport'] as const) {
  test(`the first server open takes the place of --bind: ${strategy}`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'drover-intercept-'));
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const path = join(dir, 'a.sock');
    const outcome = await run({
      node,
      strategy,
      what: 'binds',
      binds: [
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
        { kind: 'unix', path },
      ],
      env: { BIND_PATH: path },
    });
    t.like(outcome, { code: 0, stderr: '' });
    const saw = JSON.parse(outcome.stdout);
    t.deepEqual(saw.probed, saw.firstAddress);
    t.like(saw.firstAddress, { address: '127.0.0.1', family: 'IPv4' });
    t.like(saw, { answers: ['first', 'first', 'second'], servers: ['first', 'second'], listeners: 2, afterClose: 1, own: true });
    t.deepEqual(saw.spared, { IPv4: [true, false], unix: [false, false] }, 'TCP_NODELAY is inherited, and the app may change it');
    t.true(saw.stray < 0);
  });

  test(`a server that --bind has put at a path says so: ${strategy}`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'drover-intercept-'));
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const path = join(dir, 'a.sock');
    const { stdout, stderr } = await run({ node, strategy, what: 'address', binds: [{ kind: 'unix', path }] });
    t.is(stderr, '');
    t.is(stdout, path);
  });

  test(`drain takes what is queued, then nothing, and the app may still close: ${strategy}`, async (t) => {
    const outcome = await run({ node, strategy, what: 'drain', alone: true });
    t.like(outcome, { code: 0, stderr: '' });
    t.deepEqual(JSON.parse(outcome.stdout), { contexts: ['around listen', 'none'], answers: 20, accepted: 0, byHandle: 'ECONNREFUSED', asked: 'own', refused: 'ECONNREFUSED', listening: [true, true], listensOn: true, listeners: 0 });
  });
}
