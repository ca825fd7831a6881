/** The access log as users have it: real requests, real files, rotation under load, every way out. */
import test from 'ava';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import { CLI, fixture, poll, scratch, start, type Address } from '../helpers/drover.js';
import { fill, makeFifo, openReader } from '../helpers/fifo.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';
import { spawnSync } from 'node:child_process';

const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);

/** Wait for so many lines of a file. */
const lines = (file: string, count: number): Promise<string[]> =>
  poll(`${count} lines`, () => {
    const found = linesOf(file);
    return found.length >= count ? found : undefined;
  });

/** Send bytes, and answer what came back when the server has closed, or `until` has come. */
function raw(address: Address, bytes: string, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(address as net.NetConnectOpts, () => socket.write(bytes));
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (until?.test(text) === true) socket.destroy();
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}

test.serial('a body that turns out too large, and what is no request: the log has what the client got', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--limit-request-body', '10', '--access-logfile', file, '--access-log-format', 'json']);
  const address = await d.address();
  const refused: [string, number, string][] = [
    ['POST /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n123456789012345\r\n0\r\n\r\n', 413, '/0'],
    [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, ''],
    ['GET /0 HTTP/2.0\r\nHost: a\r\n\r\n', 505, ''],
  ];
  for (const [at, [request, status, path]] of refused.entries()) {
    const answer = await raw(address, request);
    t.regex(answer, new RegExp(`^HTTP/1.1 ${status} `));
    const told = JSON.parse((await lines(file, at + 1))[at]!) as Record<string, unknown>;
    t.is(told['status'], status);
    t.is(told['bytes'], answer.length - answer.indexOf('\r\n\r\n') - 4);
    t.is(told['aborted'], false);
    if (path !== '') t.like(told, { path, refusal: 'the body of the request is too large' });
  }
});

test.serial('variables as WSGI names them: the mount, the path below it, and the port of the same client as the address', async (t) => {
  const file = join(scratch(t), 'access.log');
  const format = '%({SCRIPT_NAME}e)s %({PATH_INFO}e)s %({REQUEST_URI}e)s %({REMOTE_ADDR}e)s %({REMOTE_PORT}e)s';
  const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--script-name', '/m', '--access-logfile', file, '--access-log-format', format]);
  const address = await d.address();
  const asked: [string, string, string][] = [
    ['/m/a?b', 'X-Forwarded-For: 192.0.2.7:4711', '/m /a /m/a?b 192.0.2.7 4711'],
    ['/m/a', 'X-Forwarded-For: 192.0.2.7', '/m /a /m/a 192.0.2.7 -'],
    ['/x/', 'SCRIPT_NAME: /x', '/x / /x/ 127.0.0.1 PORT'],
    ['/out', 'X-A: b', '- /out /out 127.0.0.1 PORT'],
  ];
  for (const [at, [url, field, line]] of asked.entries()) {
    await raw(address, `GET ${url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${field}\r\n\r\n`);
    const told = (await lines(file, at + 1))[at]!;
    t.is(line.endsWith('PORT') ? told.replace(/\d+$/, 'PORT') : told, line);
  }
});

test.serial('every kind of answer has its line, with what was sent', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-logformat', '%(r)s|%(s)s|%(b)s|%(h)s|%({x-thing}o)s']);
  const address = await d.address();
  const host = 'Host: a\r\n';
  let count = 0;
  const line = async (): Promise<string> => (await lines(file, ++count))[count - 1]!;

  await raw(address, `GET /x?a=1 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  t.is(await line(), 'GET /x?a=1 HTTP/1.1|200|6|127.0.0.1|-');
  await raw(address, `GET /chunked HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  t.is(await line(), 'GET /chunked HTTP/1.1|200|13|127.0.0.1|-');
  await raw(address, `HEAD /chunked HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  t.is(await line(), 'HEAD /chunked HTTP/1.1|200|-|127.0.0.1|-');
  await raw(address, 'GET /chunked HTTP/1.0\r\n\r\n');
  t.is(await line(), 'GET /chunked HTTP/1.0|200|13|127.0.0.1|-');
  await raw(address, `GET /head-first HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  t.is(await line(), 'GET /head-first HTTP/1.1|201|5|127.0.0.1|a');
  await raw(address, `GET /not-modified HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  t.is(await line(), 'GET /not-modified HTTP/1.1|304|-|127.0.0.1|-');
  await raw(address, 'GET /no-host HTTP/1.1\r\n\r\n');
  t.is(await line(), 'GET /no-host HTTP/1.1|400|15|127.0.0.1|-', 'refused');
  await raw(address, `GET /half HTTP/1.1\r\n${host}\r\n`, /half/);
  t.is(await line(), 'GET /half HTTP/1.1|200|-|127.0.0.1|-', 'given up by the client');

  const silent = net.connect(address as net.NetConnectOpts, () => silent.end(`GET /silent HTTP/1.1\r\n${host}\r\n`));
  silent.on('error', () => {}).resume();
  await poll('the request', () => (silent.bytesWritten > 0 ? true : undefined));
  silent.destroy();
  t.is(await line(), 'GET /silent HTTP/1.1|499|-|127.0.0.1|-');

  const upgrade = `Connection: Upgrade\r\nUpgrade: x\r\n\r\n`;
  await raw(address, `GET /ws HTTP/1.1\r\n${host}${upgrade}`);
  t.is(await line(), 'GET /ws HTTP/1.1|101|-|127.0.0.1|-');
  await raw(address, `GET /refused HTTP/1.1\r\n${host}${upgrade}`);
  t.is(await line(), 'GET /refused HTTP/1.1|401|-|127.0.0.1|-');

  const get3 = ['/1', '/chunked', '/3'].map((path, i) => `GET ${path} HTTP/1.1\r\n${host}${i === 2 ? 'Connection: close\r\n' : ''}\r\n`).join('');
  await raw(address, get3);
  count += 3;
  t.deepEqual((await lines(file, count)).slice(-3), ['GET /1 HTTP/1.1|200|6|127.0.0.1|-', 'GET /chunked HTTP/1.1|200|13|127.0.0.1|-', 'GET /3 HTTP/1.1|200|6|127.0.0.1|-'], 'pipelined');

  await raw(address, `GET /" HTTP/1.1\r\n${host}User-Agent: a"\\\xe9\r\nConnection: close\r\n\r\n`);
  t.is(await line(), 'GET /\\" HTTP/1.1|200|6|127.0.0.1|-');
  t.is(linesOf(file).length, count);
});

test.serial('the line of an upgrade has the fields of its request, whichever the format asks for', async (t) => {
  const dir = scratch(t);
  for (const [at, [format, expected]] of [['%(a)s', 'agent'], ['%(a)s %({x-thing}i)s', 'agent thing']].entries()) {
    const file = join(dir, `${at}.log`);
    const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', format!]);
    await raw(await d.address(), 'GET /ws HTTP/1.1\r\nHost: a\r\nUser-Agent: agent\r\nUser-Agent: another\r\nX-Thing: thing\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    t.deepEqual(await lines(file, 1), [expected]);
  }
});

test.serial('a request that turns out to be none while it is under way has one line, with what the client got', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--request-timeout', '200ms', '--access-logfile', file, '--access-log-format', 'json']);
  const address = await d.address();
  const head = 'Host: a\r\nUser-Agent: agent\r\n';
  const late = await raw(address, `POST /silent HTTP/1.1\r\n${head}Content-Length: 5\r\n\r\nab`);
  const broken = await raw(address, `POST /silent?2 HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nZZ\r\n`);
  // The response had begun: nothing could be said.
  await raw(address, `POST /half HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nZZ\r\n`);
  await raw(address, 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await poll('the line of the next request', () => linesOf(file).find((line) => line.includes('/next')));
  const told = linesOf(file).map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(told.map(({ path, status }) => [path, status]), [['/silent', 408], ['/silent', 400], ['/half', 200], ['/next', 200]]);
  for (const [at, text] of [late, broken].entries()) t.like(told[at], { bytes: text.length - text.indexOf('\r\n\r\n') - 4, userAgent: 'agent', aborted: false });
});

test.serial('an upgrade that drover refuses has one line', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', 'json']);
  const address = await d.address();
  await raw(address, 'GET /ws HTTP/1.1\r\nUser-Agent: agent\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await raw(address, 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await poll('the line of the next request', () => linesOf(file).find((line) => line.includes('/next')));
  const told = linesOf(file).map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(told.map(({ path }) => path), ['/ws', '/next']);
  t.like(told[0], { status: 400, bytes: 'no Host header\n'.length, userAgent: 'agent', refusal: 'no Host header', aborted: false });
});

test.serial('an upgrade that drover refuses behind a running request has its reason on its own line', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', 'json']);
  const address = await d.address();
  const answer = await raw(address, 'GET /silent HTTP/1.1\r\nHost: a\r\n\r\nGET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  t.is(answer, '', 'nothing that passes for the answer to the request before');
  const told = (await lines(file, 2)).map((line) => JSON.parse(line) as Record<string, unknown>);
  const of = (path: string): unknown => told.find((line) => line['path'] === path);
  t.like(of('/silent'), { status: 499, bytes: null, refusal: undefined });
  t.like(of('/ws'), { status: 499, bytes: 0, refusal: 'no Host header' });
});

for (const [what, behind] of [
  ['head', 'GET /second HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n'],
  ['body', 'POST /second HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n'],
]) {
  test.serial(`a ${what} that cannot be read behind a running request has its reason on its own line`, async (t) => {
    const file = join(scratch(t), 'access.log');
    const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', 'json']);
    const answer = await raw(await d.address(), `GET /silent HTTP/1.1\r\nHost: a\r\n\r\n${behind}`);
    t.is(answer, '', 'nothing that passes for the answer to the request before');
    const told = (await lines(file, 2)).map((line) => JSON.parse(line) as Record<string, unknown>);
    t.is(told.length, 2);
    const of = (path: string): Record<string, unknown> | undefined => told.find((line) => line['path'] === path);
    t.like(of('/silent'), { status: 499, refusal: undefined });
    t.like(of('/second'), { status: 400, bytes: 0 });
    t.regex(String(of('/second')!['refusal']), /^malformed request: /);
  });
}

test.serial('JSON on standard output, of two workers, and the app’s own output beside it', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--access-logfile', '-', '--access-log-format', 'json']);
  await d.ready();
  const address = await d.address();
  const pids = [];
  for (let i = 0; i < 20; i++) pids.push((await get(address, `/${i}?q="`, { headers: { 'x-request-id': String(i), 'user-agent': 'a"b' } })).body);
  const records = await d.until('20 lines', () => {
    const found = d.stdout.split('\n').filter(Boolean);
    return found.length === 20 && d.stdout.endsWith('\n') ? found.map((line) => JSON.parse(line) as Record<string, unknown>) : undefined;
  });
  records.sort((a, b) => Number(a['requestId']) - Number(b['requestId']));
  for (const [i, record] of records.entries()) {
    t.like(record, { client: '127.0.0.1', method: 'GET', path: `/${i}`, query: 'q="', protocol: 'HTTP/1.1', status: 200, bytes: pids[i]!.length, userAgent: 'a"b', requestId: String(i), pid: Number(pids[i]), aborted: false });
    t.true((record['durationMs'] as number) >= 0);
  }
});

test.serial('HTTP/2 has lines like any other', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('http2.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', '%(h)s "%(r)s" %(s)s %(b)s "%(a)s" %({:status}o)s']);
  const { host, port } = (await d.address()) as { host: string; port: number };
  const session = http2.connect(`http://${host}:${port}`);
  for (const method of ['GET', 'HEAD']) {
    await new Promise((resolve, reject) => session.request({ ':path': '/a?b', ':method': method, 'user-agent': 'x"' }).on('error', reject).on('close', resolve).resume());
  }
  const gone = session.request({ ':path': '/gone' });
  gone.on('response', () => gone.close(http2.constants.NGHTTP2_CANCEL));
  await new Promise((resolve) => gone.on('error', () => {}).on('close', resolve).resume());
  t.deepEqual((await lines(file, 2)).slice(0, 2), ['127.0.0.1 "GET /a?b HTTP/2.0" 200 5 "x\\"" 200', '127.0.0.1 "HEAD /a?b HTTP/2.0" 200 - "x\\"" 200']);
  t.regex((await lines(file, 3))[2]!, /"GET \/gone HTTP\/2\.0" 200/);
  session.close();
});

test.serial('HTTP/2 that drover speaks for the app has lines, too, with the client that a trusted proxy names', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--http-protocols', 'h2,h1', '--access-logfile', file, '--access-log-format', '%(h)s "%(r)s" %(s)s %(b)s %({x-request-id}i)s %(id)s']);
  const { host, port } = (await d.address()) as { host: string; port: number };
  const session = http2.connect(`http://${host}:${port}`);
  for (const headers of [{ ':path': '/plain' }, { ':path': '/told', 'x-forwarded-for': '203.0.113.7', 'x-request-id': 'mine' }, { ':path': '/a', forwarded: 'for=203.0.113.8', 'x-forwarded-for': '203.0.113.9' }]) {
    await new Promise((resolve, reject) => session.request(headers).on('error', reject).on('close', resolve).resume());
  }
  const length = String(d.workers()[0]!).length;
  t.deepEqual(await lines(file, 3), [`127.0.0.1 "GET /plain HTTP/2.0" 200 ${length} - -`, `203.0.113.7 "GET /told HTTP/2.0" 200 ${length} mine mine`, '127.0.0.1 "GET /a HTTP/2.0" 400 47 - -']);
  session.close();
});

for (const way of ['rename and USR1', 'copytruncate', 'reload', 'graceful stop'] as const) {
  test.serial(`${way} under load: no line is torn, and as many are there as can be`, async (t) => {
    const file = join(scratch(t), 'access.log');
    const d = start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', '%(m)s %(U)s %(s)s end']);
    await d.ready();
    const load = Load.run(t, await d.address(), { clients: 16, pauseMs: 5, path: '/abc' });
    await load.asked(200);
    const copied: string[] = [];
    for (let round = 0; round < 3; round++) {
      if (way === 'rename and USR1') {
        renameSync(file, `${file}.${round}`);
        const mark = d.mark();
        d.signal('SIGUSR1');
        await d.event('log.reopened', {}, mark);
        await poll('the new file', () => (linesOf(file).length > 0 ? true : undefined));
      } else if (way === 'copytruncate') {
        // What is written between the copy and the truncation is lost, with every program.
        const copy = readFileSync(file, 'utf8');
        truncateSync(file);
        copied.push(copy);
      } else if (way === 'reload') {
        const mark = d.mark();
        d.signal('SIGHUP');
        await d.event('reload.finished', {}, mark);
      }
      await load.asked(100);
    }
    const result = await load.stop();
    t.deepEqual(result.lost, []);
    t.is((await d.stop()).code, 0);
    const all = [file, `${file}.0`, `${file}.1`, `${file}.2`].flatMap(linesOf).concat(copied.flatMap((copy) => copy.split('\n').slice(0, -1)));
    for (const line of all) if (line !== 'GET /abc 200 end') t.fail(`torn: ${line}`);
    if (way === 'copytruncate') t.true(all.length <= result.ok && all.length > result.ok * 0.8);
    else t.is(all.length, result.ok);
  });
}

test.serial('the app’s process.exit() loses no line', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('answers.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file, '--access-log-format', '%(U)s']);
  const address = await d.address();
  for (let i = 0; i < 50; i++) await get(address, `/${i}`);
  await get(address, '/exit');
  await d.event('worker.died');
  const found = linesOf(file);
  t.deepEqual(found.slice(0, 50), Array.from({ length: 50 }, (_, i) => `/${i}`));
});

for (const [way, signal, args] of [['graceful', 'SIGTERM', ['--graceful-timeout', '0.6']], ['quick', 'SIGINT', ['-c', fixture('slow-exit.config.cjs')]]] as const) {
  test.serial(`a pipe that nobody reads holds up no ${way} stop beyond its time, and what is lost is told`, async (t) => {
    const fifo = makeFifo(t);
    openReader(t, fifo);
    fill(fifo, 'x'.repeat(4096));
    const d = start(t, [fixture('slow.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', fifo, ...args]);
    const address = await d.address();
    await d.ready();
    for (let i = 0; i < 3; i++) t.is((await get(address)).status, 200);
    t.is((await d.stop(signal)).code, 0);
    t.like(d.events('worker.exited')[0], { code: 0, signal: null });
    t.deepEqual(d.events('worker.grace-exceeded'), []);
    t.like(d.events('access-log.dropped')[0], { lines: 3 });
  });
}

test.serial('a full disk is told of, and requests are answered on', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', '/dev/full']);
  const address = await d.address();
  t.is((await get(address)).status, 200);
  t.like(await d.event('access-log.failed'), { slot: 0, file: '/dev/full', error: 'ENOSPC' });
  t.is((await get(address)).status, 200);
});

test.serial('a worker that cannot open the file any more serves without, and keeps its lines until it can', async (t) => {
  const file = join(scratch(t), 'access.log');
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '--access-logfile', file]);
  const address = await d.address();
  await d.ready();
  renameSync(file, `${file}.1`);
  mkdirSync(file);
  process.kill((await d.count(1, 'worker.ready'))[0]!['worker'] as number, 'SIGKILL');
  await d.count(2, 'worker.ready');
  t.is((await get(address)).status, 200);
  t.like(await d.event('access-log.failed'), { slot: 0, file, error: 'EISDIR' });
  rmdirSync(file);
  await d.event('access-log.recovered');
  t.is((await lines(file, 1)).length, 1);
});

test.serial('a wrong file or format is an error before anything is served, and no reload takes it', async (t) => {
  const dir = scratch(t);
  const run = (...args: string[]): { status: number | null; stderr: string } => spawnSync(process.execPath, [CLI, fixture('whoami.cjs'), ...args], { encoding: 'utf8', cwd: dir });
  for (const check of [[], ['--check-config']]) {
    const file = run('--access-logfile', join(dir, 'none/access.log'), ...check);
    t.is(file.status, 2);
    t.regex(file.stderr, /--access-logfile .*none\/access\.log cannot be opened: there is no directory .*none \(flag --access-logfile\)/);
    t.regex(file.stderr, /Give a path/);
    const format = run('--access-logfile', '-', '--access-log-format', '%(h)s %(zz)s', ...check);
    t.is(format.status, 2);
    t.regex(format.stderr, /--access-log-format: no such atom: "%\(zz\)s" \(flag --access-log-format\)/);
    t.regex(format.stderr, /The atoms are/);
  }

  const config = join(dir, 'drover.config.json');
  writeFileSync(config, JSON.stringify({ accessLogfile: join(dir, 'access.log') }));
  const d = start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-c', config]);
  await d.ready();
  writeFileSync(config, JSON.stringify({ accessLogfile: join(dir, 'none/access.log') }));
  d.signal('SIGHUP');
  t.like(await d.event('reload.failed'), { stage: 'config', code: 'ERR_DROVER_LOG_FILE' });
  t.is((await get(await d.address())).status, 200);
  await lines(join(dir, 'access.log'), 1);
});
