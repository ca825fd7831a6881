/**
 * An app must not be able to tell drover's sockets from its own: each case runs under plain Node and with listen() intercepted, in the
 * same Node, and must see the same. DROVER_NODES (colon-separated) names further node binaries to prove it on.
 */
import test from 'ava';
import { run } from './fidelity/master.js';

const nodes = [process.execPath, ...(process.env['DROVER_NODES'] ?? '').split(':').filter((node) => node !== '')];

for (const [index, node] of nodes.entries()) {
  for (const strategy of ['shared', 'reuseport'] as const) {
    const named = (what: string): string => `${what}: ${strategy}, node ${index === 0 ? process.version : node}`;

    test.serial(named('all that an app sees'), async (t) => {
      const [plain, ours] = await Promise.all([run({ node, strategy: 'plain', what: 'cases' }), run({ node, strategy, what: 'cases' })]);
      t.is(ours.stderr, '');
      t.like(ours, { code: 0, signal: null });
      const expected = JSON.parse(plain.stdout) as Record<string, { saw?: unknown; failed?: string }>;
      const actual = JSON.parse(ours.stdout) as typeof expected;
      for (const [name, { saw, failed }] of Object.entries(expected)) {
        t.is(failed, undefined, `${name} (plain)`);
        t.deepEqual(actual[name], { saw }, name);
      }
    });

    test.serial(named('when the process ends'), async (t) => {
      for (const what of ['unref-before-listen', 'unref-after-listen', 'ref-after-unref', 'close-ends']) {
        const plain = await run({ node, strategy: 'plain', what });
        t.deepEqual(await run({ node, strategy, what }), plain, what);
      }
    });

    test.serial(named('an error nobody handles'), async (t) => {
      const plain = await run({ node, strategy: 'plain', what: 'error-unhandled' });
      const ours = await run({ node, strategy, what: 'error-unhandled' });
      const message = (text: string): string | undefined => /^Error: .*/m.exec(text)?.[0].replace(/\d+$/, 'PORT');
      t.is(message(plain.stderr), 'Error: listen EADDRINUSE: address already in use :::PORT');
      t.is(message(ours.stderr), message(plain.stderr));
      t.is(ours.code, plain.code);
    });
  }
}
