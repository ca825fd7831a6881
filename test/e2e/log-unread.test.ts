/** A log that goes to a pipe which is full and which nobody reads, or to a terminal that is stopped: the master goes on, and says later what is missing. */
import test from 'ava';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll, scratch, start, type LogRecord } from '../helpers/drover.js';
import { fill, makeFifo, openReader, readAll } from '../helpers/fifo.js';
import { get } from '../helpers/http.js';

const FILLER = `${'-'.repeat(99)}\n`;
/** What a worker says of its end is cut at 32 KiB. So many of these are more than is kept. */
const FAILED_RELOADS = 20;

test.serial('reloads and stops are done; when the log is read again its lines are whole, and those that are lost counted', async (t) => {
  const dir = scratch(t);
  const [app, boots, broken, socketPath] = ['app.cjs', 'boots', 'broken', 'socket'].map((name) => join(dir, name)) as [string, string, string, string];
  const source = (answer: string): string => `const fs = require('node:fs');
fs.appendFileSync(${JSON.stringify(boots)}, '.');
if (fs.existsSync(${JSON.stringify(broken)})) throw Object.assign(new Error('broken'), { stack: 'Error: broken\\n' + 'x'.repeat(50_000) });
module.exports = (req, res) => res.end('${answer}');`;
  const answers = (body: string): Promise<true> => poll(`the answer ${body}`, async () => (existsSync(socketPath) && (await get({ socketPath })).body === body ? true : undefined));
  const fifo = makeFifo(t);
  const reader = openReader(t, fifo);
  fill(fifo, FILLER);

  writeFileSync(app, source('old'));
  const d = start(t, [app, '-w', '1', '-b', `unix:${socketPath}`], { prefix: ['/bin/sh', '-c', `exec "$@" 2> '${fifo}'`, 'sh'] });
  await answers('old');
  writeFileSync(broken, '');
  for (let n = 0; n < FAILED_RELOADS; n++) {
    const before = readFileSync(boots, 'utf8').length;
    d.signal('SIGHUP');
    await poll('the successor', () => (readFileSync(boots, 'utf8').length > before ? true : undefined));
  }
  rmSync(broken);
  writeFileSync(app, source('new'));
  d.signal('SIGHUP');
  await answers('new');

  let text = '';
  await poll('what is lost', () => {
    text += readAll(reader);
    return text.includes('"log.dropped"') && text.endsWith('\n') ? true : undefined;
  });
  const lines = text.split('\n').slice(0, -1);
  const records = lines.filter((line) => `${line}\n` !== FILLER).map((line) => JSON.parse(line) as LogRecord);
  t.is(records[0]!.event, 'master.starting');
  t.true(records.some(({ event }) => event === 'worker.boot-failed'));
  const lost = records.filter(({ event }) => event === 'log.dropped');
  t.is(lost.length, 1);
  t.true(Number(lost[0]!['lines']) > 0);

  fill(fifo, FILLER);
  d.signal('SIGTERM');
  t.deepEqual(await d.finished(), { code: 0, signal: null });
});

/** Gives what it runs a terminal as standard error that takes nothing, as after Ctrl-S. */
const ON_STOPPED_TERMINAL = [
  'python3',
  '-c',
  'import os, pty, sys, termios\nmaster, terminal = pty.openpty()\nos.dup2(terminal, 2)\nos.set_inheritable(master, True)\ntermios.tcflow(2, termios.TCOOFF)\nos.execvp(sys.argv[1], sys.argv[1:])',
];

test.serial('on a terminal that is stopped reloads are done, and workers of a killed master answer and end', async (t) => {
  const dir = scratch(t);
  const [app, socketPath, requested] = ['app.cjs', 'socket', 'requested'].map((name) => join(dir, name)) as [string, string, string];
  const source = (answer: string): string => `const fs = require('node:fs');
module.exports = (req, res) => {
  if (req.url === '/') return res.end('${answer}');
  fs.writeFileSync(${JSON.stringify(requested)}, '');
  const master = process.ppid;
  const timer = setInterval(() => process.ppid !== master && (clearInterval(timer), res.end('answered')), 10);
};`;
  const answers = (body: string): Promise<true> => poll(`the answer ${body}`, async () => (existsSync(socketPath) && (await get({ socketPath })).body === body ? true : undefined));
  writeFileSync(app, source('old'));
  const d = start(t, [app, '-w', '1', '-b', `unix:${socketPath}`], { prefix: ON_STOPPED_TERMINAL });
  await answers('old');
  writeFileSync(app, source('new'));
  d.signal('SIGHUP');
  await answers('new');
  const late = get({ socketPath }, '/late');
  await poll('the request', () => (existsSync(requested) ? true : undefined));
  d.signal('SIGKILL');
  t.is((await late).body, 'answered');
  t.is((await d.finished()).signal, 'SIGKILL');
  t.deepEqual(d.processes(), []);
});
