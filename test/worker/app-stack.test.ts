import { fileURLToPath } from 'node:url';
import test from 'ava';
import { appStack, placeInApp } from '../../src/worker/app-stack.js';

const OURS = fileURLToPath(new URL('../../worker/worker.cjs', import.meta.url));

function thrown(message: string, frames: string[], cause?: Error): Error {
  const error = new Error(message, cause === undefined ? {} : { cause });
  error.stack = [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n');
  return error;
}

test('the place is the app\'s own line, not that of a package, of Node or of drover', (t) => {
  const frames = ['Function.use (/srv/node_modules/express/lib/application.js:10:2)', 'Object.<anonymous> (/srv/app.js:3:5)', 'Module._compile (node:internal/modules/cjs/loader:1:1)', `runAsMain (${OURS}:1:1)`];
  t.is(placeInApp(thrown('x', frames).stack!), '/srv/app.js:3');
  t.is(placeInApp(thrown('x', frames.slice(0, 1)).stack!), '/srv/node_modules/express/lib/application.js:10', 'a package is better than nothing');
  t.is(placeInApp(thrown('x', frames.slice(2)).stack!), undefined);
  t.is(placeInApp(thrown('x', ['process.processTicksAndRejections (node:internal/process/task_queues:1:1)', 'async file:///srv/app.mjs:2:1']).stack!), '/srv/app.mjs:2');
});

test('a stack has neither drover\'s frames nor, at its end, Node\'s', (t) => {
  const error = thrown('x', ['JSON.parse (<anonymous>)', 'load (/srv/app.js:3:5)', 'Module._compile (node:internal/modules/cjs/loader:1:1)', `runAsMain (${OURS}:1:1)`]);
  t.is(appStack(error), 'Error: x\n    at JSON.parse (<anonymous>)\n    at load (/srv/app.js:3:5)');
});

test('a stack of Node\'s frames alone stays: there is nothing else to go by', (t) => {
  const error = thrown('getaddrinfo ENOTFOUND db', ['GetAddrInfoReqWrap.onlookup (node:internal/dns:1:1)']);
  t.is(appStack(error), error.stack!);
});

test('of a syntax error the place comes first, and Node\'s frames say nothing', (t) => {
  const error = thrown('x', ['wrapSafe (node:internal/modules/cjs/loader:1:1)']);
  error.stack = `/srv/app.cjs:3\nconst a = ;\n          ^\n\n${error.stack!}`;
  t.is(placeInApp(error.stack), '/srv/app.cjs:3');
  t.is(appStack(error), '/srv/app.cjs:3\nconst a = ;\n          ^\n\nError: x');
});

test('causes are told, each once', (t) => {
  const inner = thrown('connect ECONNREFUSED', ['/srv/db.js:1:1']);
  const outer = thrown('fetch failed', ['/srv/app.js:2:1'], inner);
  inner.cause = outer;
  t.is(appStack(outer), 'Error: fetch failed\n    at /srv/app.js:2:1\n  caused by Error: connect ECONNREFUSED\n    at /srv/db.js:1:1');
});
