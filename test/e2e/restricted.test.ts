/** Where a sandbox or a limit takes something away that drover needs, it says what, and what to do. */
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { createBoard } from '../../src/ipc/board-memory.js';
import { fixture, IS_ROOT, poll, ROOT, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const USER = ['setpriv', '--reuid=65532', '--regid=65532', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];

/** Prefix under which these system calls fail. */
function refusing(names: string, errno: string): string[] {
  return ['python3', join(ROOT, 'test/helpers/refuse.py'), names, errno];
}

const asRoot = IS_ROOT ? test.serial : test.serial.skip;
const [python, ...tried] = refusing('bpf', 'EPERM');
const permitted = createBoard().kernelReadable === 0;
const filtered = spawnSync(python!, [...tried, 'true']).status === 0 ? test.serial : test.serial.skip;

test.serial('shared memory beyond the size that files may have', async (t) => {
  const d = start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0'], { prefix: ['prlimit', '--fsize=0:0'] });
  t.deepEqual(await d.finished(), { code: 9, signal: null });
  const [failed] = d.events('master.failed');
  t.like(failed, { code: 'ERR_DROVER_SYSTEM', exitCode: 9 });
  t.regex(failed!.msg, /EFBIG/);
});

asRoot('a worker that is allowed no thread is told so, not as a fault of the app', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o755);
  const [app, preload] = [join(dir, 'app.cjs'), join(dir, 'preload.cjs')];
  copyFileSync(fixture('whoami.cjs'), app);
  copyFileSync(fixture('limits-its-threads.cjs'), preload);
  const d = start(t, [app, '-b', '127.0.0.1:0', '--node-args', `--require ${preload}`], { prefix: USER, cwd: dir });
  t.deepEqual(await d.finished(), { code: 9, signal: null });
  t.regex(d.events('master.failed')[0]!.msg, /^the system allows no more threads \(EAGAIN\)$/);
  t.is(d.text, '');
});

asRoot('a heartbeat directory on a disk that cannot be written to is one warning, and no workers are lost', async (t) => {
  const dir = scratch(t);
  const readOnly = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', dir];
  const d = await start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--worker-tmp-dir', dir], { prefix: readOnly }).ready();
  t.regex(d.events('heartbeat.unavailable')[0]!.msg, /EROFS/);
  t.deepEqual(d.events('heartbeat.on-disk'), []);
  t.is((await get(await d.address())).status, 200);
});

asRoot('no directory can be had for the heartbeat: each that was tried is named', async (t) => {
  const readOnly = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o ro none /dev/shm && mount -t tmpfs -o ro none /run && exec "$@"', 'sh'];
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0'], { prefix: readOnly, env: { TMPDIR: '/nowhere' } }).ready();
  t.is(d.events('heartbeat.unavailable')[0]!['reason'], '/dev/shm: EROFS, /run: EROFS, /nowhere: ENOENT');
});

(permitted ? filtered : test.serial.skip)('a capability that cannot be kept from the workers is told', async (t) => {
  const d = await start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0', '--steer', 'least'], { prefix: refusing('prctl', 'EPERM') }).ready();
  t.is(d.events('master.capability-shared')[0]!['error'], 'EPERM');
});

for (const errno of ['EPERM', 'ENOSYS']) {
  filtered(`a filter that refuses shared memory: ${errno}`, async (t) => {
    const d = start(t, [fixture('whoami.cjs'), '-b', '127.0.0.1:0'], { prefix: refusing('memfd_create', errno) });
    t.deepEqual(await d.finished(), { code: 9, signal: null });
    t.regex(d.events('master.failed')[0]!.msg, new RegExp(`refuses shared memory, memfd_create\\(2\\) \\(${errno}\\)$`));
  });

  filtered(`without the calls that it can do without, drover serves the app and whole files: ${errno}`, async (t) => {
    const dir = scratch(t);
    writeFileSync(join(dir, 'file.txt'), 'x'.repeat(300_000));
    const d = await start(t, [fixture('whoami.cjs'), '-w', '2', '-b', '127.0.0.1:0', '--static', `/files=${dir}`], { prefix: refusing('bpf,openat2,pidfd_open,sendfile', errno) }).ready();
    const address = await d.address();
    t.is((await get(address)).status, 200);
    t.is((await get(address, '/files/file.txt')).body.length, 300_000);
  });
  // The head of a response goes by send(2), which is sendto(2), and node's own bytes by write(2).
  filtered(`a response whose head cannot go by sendto(2) has its head, and only once: ${errno}`, async (t) => {
    const dir = scratch(t);
    writeFileSync(join(dir, 'file.txt'), 'x'.repeat(300_000));
    const app = join(ROOT, 'test/fixtures/files/handler.mjs');
    const env = { FILES: dir, DROVER_INDEX: join(ROOT, 'dist/src/index.js') };
    const d = await start(t, [app, '-b', '127.0.0.1:0', '--static', `/files=${dir}`], { env, prefix: refusing('sendto', errno) }).ready();
    const address = await d.address();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    for (const path of ['/files/file.txt', '/api/file.txt', '/pipeline/file.txt']) {
      const { status, headers, body } = await get(address, path, { agent });
      t.deepEqual([status, headers['content-length'], body.length], [200, '300000', 300_000], path);
    }
  });
}

asRoot('a stale unix socket of another user, where only its owner may remove it: refused in words, and the app that asks for it serves on elsewhere', async (t) => {
  const dir = scratch(t);
  chmodSync(dir, 0o1777);
  const [path, app] = [join(dir, 'its.sock'), join(dir, 'app.cjs')];
  const left = spawnSync('python3', ['-c', 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])', path]);
  t.is(left.status, 0);
  const reason = `cannot listen at --bind unix:${path}: there is a socket of another user at that path, in a directory where only its owner may remove it`;
  copyFileSync(fixture('whoami.cjs'), app);
  // As it is made, nobody else may connect to it; with --umask 0 anybody may.
  for (const mode of [0o755, 0o666]) {
    chmodSync(path, mode);
    for (const check of [[], ['--check-config']]) {
      const d = start(t, [app, '-b', `unix:${path}`, ...check], { prefix: USER, cwd: dir });
      t.deepEqual(await d.finished(), { code: 5, signal: null });
      t.true(`${d.text}${JSON.stringify(d.events('master.failed'))}`.includes(reason), `${mode} ${check.join()} ${d.text}`);
    }
  }

  writeFileSync(app, `const http = require('node:http');
http.createServer((request, response) => response.end('serves')).listen(0, '127.0.0.1', () => {
  http.createServer().on('error', ({ code }) => console.log('refused', code)).listen(${JSON.stringify(path)});
});`);
  const d = start(t, [app, '-w', '1'], { prefix: USER, cwd: dir });
  await d.ready();
  t.regex(await poll('the refusal', () => d.stdout || undefined), /^refused EADDRINUSE$/m);
  t.is((await get(await d.address())).body, 'serves');
});
