import test from 'ava';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DroverError } from '../../src/errors.js';
import { EVENTS } from '../../src/log/events.js';
import { isEventName, Logger, sentence } from '../../src/log/logger.js';

function scratch(t: { teardown: (done: () => void) => void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'drover-log-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

function lines(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a sentence has its fields filled in; what is missing leaves nothing', (t) => {
  t.is(sentence('worker {slot} of {list}: {gone}.', { slot: 3, list: ['a', 'b'] }), 'worker 3 of a, b: .');
});

test('a sentence has the word for one or for many', (t) => {
  t.is(sentence('{n|worker serves|workers serve} {at}', { n: 1, at: 'here' }), '1 worker serves here');
  t.is(sentence('{n|worker serves|workers serve} {at}', { n: 0, at: 'here' }), '0 workers serve here');
  t.is(sentence('({n|time|times}; {gone|day|days})', { n: 12 }), '(12 times; )');
  t.is(sentence(EVENTS['master.ready'].message, { workers: 1, addresses: ['127.0.0.1:1'] }), 'ready: 1 worker serves 127.0.0.1:1');
});

test('what is counted in a sentence has its word for one', (t) => {
  for (const [name, { message }] of Object.entries(EVENTS)) {
    t.notRegex(message, /\{(?:count|workers|connections|limit|dropped|days|lines)\}/, name);
    t.notRegex(sentence(message, new Proxy({}, { get: () => 1 })), /[|{}]/, name);
  }
});

test('event names are those of the table', (t) => {
  t.true(isEventName('worker.ready'));
  t.false(isEventName('worker.unheard-of'));
  t.false(isEventName('toString'));
});

test('a line has the event, its level, its sentence and all fields', (t) => {
  const file = join(scratch(t), 'log');
  new Logger({ level: 'info', format: 'auto', file }).emit('worker.ready', { slot: 1, worker: 42, bootMs: 7, extra: true });
  const [line] = lines(file);
  t.like(line, { level: 30, event: 'worker.ready', slot: 1, worker: 42, bootMs: 7, extra: true, pid: process.pid, msg: 'worker 1 ready: pid 42, booted in 7 ms' });
});

test('every event of the table can be logged at its level', (t) => {
  const file = join(scratch(t), 'log');
  const log = new Logger({ level: 'debug', format: 'json', file });
  for (const event of Object.keys(EVENTS)) if (isEventName(event)) log.emit(event);
  t.deepEqual(lines(file).map((line) => line['event']), Object.keys(EVENTS));
});

test('lines below the level are not written, and a reload may change it', (t) => {
  const file = join(scratch(t), 'log');
  const log = new Logger({ level: 'error', format: 'json', file });
  log.emit('worker.ready');
  log.level = 'info';
  log.emit('worker.ready');
  log.emit('worker.spawned');
  t.is(lines(file).length, 1);
});

test('reopen: goes on in a new file of the same name', (t) => {
  const file = join(scratch(t), 'log');
  const log = new Logger({ level: 'info', format: 'json', file });
  log.emit('log.reopened', { n: 1 });
  renameSync(file, `${file}.1`);
  t.is(log.reopen(), undefined);
  log.emit('log.reopened', { n: 2 });
  t.deepEqual(lines(`${file}.1`).map((line) => line['n']), [1]);
  t.deepEqual(lines(file).map((line) => line['n']), [2]);
});

test('reopen that fails: the old file stays in use', (t) => {
  const dir = scratch(t);
  const inner = mkdtempSync(join(dir, 'd-'));
  const file = join(inner, 'log');
  const log = new Logger({ level: 'info', format: 'json', file });
  renameSync(inner, join(dir, 'moved'));
  t.is(log.reopen()?.code, 'ENOENT');
  log.emit('log.reopened', { n: 1 });
  t.deepEqual(lines(join(dir, 'moved', 'log')).map((line) => line['n']), [1]);
});

test('a file that cannot be opened is a mistake of the user', (t) => {
  const file = join(scratch(t), 'no', 'such', 'log');
  const error = t.throws(() => new Logger({ level: 'info', format: 'json', file }), { instanceOf: DroverError });
  t.is(error?.code, 'ERR_DROVER_LOG_FILE');
  t.is(error?.message, `--log-file ${file} cannot be opened: there is no directory ${dirname(file)}`);
});

const loggerUrl = new URL('../../src/log/logger.js', import.meta.url).href;

/** What a process of its own writes to stderr. */
function stderrOf(script: string): { stderr: string; status: number | null } {
  return spawnSync(process.execPath, ['--input-type=module', '-e', `import { Logger } from ${JSON.stringify(loggerUrl)};\n${script}`], { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
}

test("'-' is stderr, JSON when that is no terminal, and nothing is lost at exit", (t) => {
  const { stderr } = stderrOf("const log = new Logger({ level: 'info', format: 'auto', file: '-' }); for (let n = 0; n < 500; n++) log.emit('log.reopened', { n }); process.exit(0);");
  const numbers = stderr.trim().split('\n').map((line) => (JSON.parse(line) as { n: number }).n);
  t.deepEqual(numbers, Array.from({ length: 500 }, (_, n) => n));
});

test('pretty: the sentence, and the stack below it', (t) => {
  const { stderr } = stderrOf("const log = new Logger({ level: 'info', format: 'pretty', file: null }); log.emit('worker.died', { slot: 0, worker: 9, cause: 'of \\u009bboredom\\u001b', kind: 'exit', remedy: 'Say \"please\".', stack: 'Error: x\\u001b\\n    at f (a.js:1:2)', requests: ['GET /\\u009b'], inFlight: 21 });");
  t.regex(stderr, /ERROR.*worker 0 died: pid 9, of boredom/);
  t.regex(stderr, /\n +inFlight: 21\n/);
  t.regex(stderr, /\n +remedy: Say "please"\.\n/);
  t.regex(stderr, /stack:\s*\n +Error: x\n +at f \(a\.js:1:2\)\n/, 'in lines');
  t.notRegex(stderr, /[\u001b\u009b]/, 'no control characters of a message');
  t.regex(stderr, /GET \//);
  t.notRegex(stderr, /boredom"/);
});

test('pretty: a record without a stack is its sentence', (t) => {
  const { stderr } = stderrOf("new Logger({ level: 'info', format: 'pretty', file: null }).emit('log.reopened', {});");
  t.regex(stderr, /^\[[^\]]+\] INFO: [^\n]+\n$/);
});

test('a reader of stderr that is gone does not end the process', (t) => {
  const script = `import { Logger } from ${JSON.stringify(loggerUrl)};
const log = new Logger({ level: 'info', format: 'json', file: null });
for (let n = 0; n < 100; n++) log.emit('log.reopened', { n });
process.stdout.write('alive');`;
  // The shell's pipe has lost its reader before the first line is written.
  const { stdout } = spawnSync('/bin/sh', ['-c', '{ sleep 0.2; exec "$0" --input-type=module -e "$1" 2>&1 >&3 | true; } 3>&1', process.execPath, script], { encoding: 'utf8' });
  t.is(stdout, 'alive');
});
