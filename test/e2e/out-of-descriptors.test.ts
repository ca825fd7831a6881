/** Too few open files (ulimit -n): what the log says of it, and that it is over. */
import test from 'ava';
import http from 'node:http';
import { EXIT_CODES } from '../../src/errors.js';
import { fixture, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

/** drover with a limit of open files, soft and hard. */
const limited = (files: number): string[] => ['sh', '-c', `ulimit -n ${files}; exec "$@"`, 'sh'];

test('a worker that is out of them says how many it had and what to do, and when it accepts again', async (t) => {
  const d = await start(t, [fixture('starves.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { prefix: limited(200) }).ready();
  const address = await d.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  await get(address, '/starve', { agent });
  const waiting = get(address);
  const error = await d.event('worker.accept-error', { error: 'EMFILE' });
  t.like(error, { limit: 200, connections: 1 });
  t.regex(error.msg, /the 200 open files .* 1 connection open: the app has opened most .*\/proc\/\d+\/fd: .* raise the limit \(ulimit -Hn, /);
  await get(address, '/relieve', { agent });
  await waiting;
  t.true(Number((await d.event('worker.accept-recovered', { worker: error['worker'] }))['outMs']) >= 0);
});

test('too few for drover to start: one line, what to do, and an exit code of its own', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0'], { prefix: limited(22) });
  t.is((await d.finished()).code, 9);
  // Where Node opens few files at a time, drover has come as far as to its log.
  const { message, remedy } = d.events('master.failed')[0] ?? /^drover: (?<message>.*)\n {2}(?<remedy>.*)\n$/.exec(d.text)?.groups ?? {};
  t.is(message, 'cannot start: the 22 open files that this process may have are too few');
  t.is(remedy, 'Raise the limit: ulimit -Hn, or LimitNOFILE= in systemd.');
});

test('too few left in a worker for what the master hands it: not the fault of the options that Node was given', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--node-args', `--require ${fixture('limits-its-files.cjs')}`]);
  t.deepEqual(await d.finished(), { code: EXIT_CODES.unfit.code, signal: null });
  t.like(d.events('master.failed')[0], {
    code: 'ERR_DROVER_OPEN_FILES',
    message: 'the 64 open files that a worker may have are all in use before it begins',
    remedy: 'Raise the limit: ulimit -Hn, or LimitNOFILE= in systemd.',
  });
  t.is(d.text, '');
});
