/** drover doctor through the real CLI: the same options as serving, exit status, JSON. */
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CODES } from '../../src/errors.js';
import { CLI, fixture, IS_ROOT, scratch, start } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function doctor(args: string[], uid?: number): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', cwd: fixture(''), env: { PATH: process.env['PATH'] }, timeout: 60_000, ...(uid === undefined ? {} : { uid, gid: uid }) });
  return { code: status, stdout, stderr };
}

interface Report {
  status: string;
  findings: { name: string; value: string; status: string; meaning: string; fix?: string }[];
}

test('a table, and what is said of a configuration comes from its options', (t) => {
  const { code, stdout } = doctor(['doctor', '--backlog', '65535']);
  t.is(code, 0);
  t.regex(stdout, /^warn {2}net\.core\.somaxconn .*cuts --backlog 65535/m);
  t.regex(stdout, /→ sysctl -w net\.core\.somaxconn=65535/);
});

test('JSON for scripts, with an app that loads', (t) => {
  const { code, stdout } = doctor(['doctor', '--json', 'whoami.cjs', '-w', '3']);
  t.is(code, 0);
  const { findings } = JSON.parse(stdout) as Report;
  t.like(findings.find(({ name }) => name === 'app'), { status: 'ok', value: 'whoami.cjs' });
  t.regex(findings.find(({ name }) => name === 'CPUs')!.value, /for 3 workers/);
});

test('something bad: a status of its own', (t) => {
  const { code, stdout } = doctor(['doctor', 'no-such-app.cjs', '--json']);
  t.is(code, EXIT_CODES.unfit.code);
  const report = JSON.parse(stdout) as Report;
  t.is(report.status, 'bad');
  t.regex(report.findings.find(({ name }) => name === 'app')!.meaning, /does not exist/);
});

test('a wrong option is a wrong option', (t) => {
  t.is(doctor(['doctor', '--worker', '3']).code, EXIT_CODES.usage.code);
  const { code, stderr } = doctor(['--json', 'whoami.cjs']);
  t.is(code, EXIT_CODES.usage.code);
  t.regex(stderr, /--json is for `drover doctor`/);
});

(IS_ROOT ? test : test.skip)('unprivileged: says what CAP_BPF would give, and that port 80 is out of reach', (t) => {
  const { stdout } = doctor(['doctor', '--json', '-w', '2', '-b', ':80', '--accept-strategy', 'reuseport'], 65534);
  const { findings } = JSON.parse(stdout) as Report;
  t.like(findings.find(({ name }) => name === 'CAP_BPF'), { status: 'warn' });
});

test('a name of --bind is looked up', (t) => {
  const finding = (...args: string[]): Report['findings'][number] | undefined => (JSON.parse(doctor(['doctor', '--json', ...args]).stdout) as Report).findings.find(({ name }) => name === '--bind');
  t.like(finding('-b', 'localhost:8000', '-b', '127.0.0.2:8000'), { status: 'ok', value: 'localhost:8000', meaning: 'listens at 127.0.0.1:8000' });
  t.is(finding('-b', '127.0.0.1:8000', '-b', 'unix:a.sock'), undefined);
  const { code, stdout } = doctor(['doctor', '-b', 'no-such-host.invalid:8000']);
  t.is(code, EXIT_CODES.unfit.code);
  t.regex(stdout, /^bad +--bind +no-such-host\.invalid:8000 +cannot listen at --bind no-such-host\.invalid:8000: the name no-such-host\.invalid does not resolve \(.+\)\n +→ .*\/etc\/hosts/m);
  t.regex(finding('-b', 'localhost:8000', '-b', '127.0.0.1:8000')!.meaning, /it overlaps with/);
});

test('addresses of --bind that cannot be opened, each with the words of the start', (t) => {
  const dir = scratch(t);
  const path = join(dir, 'no/sock');
  const { code, stdout } = doctor(['doctor', '--json', '-b', '192.0.2.1:8000', '-b', 'localhost:8000', '-b', `unix:${path}`]);
  t.is(code, EXIT_CODES.unfit.code);
  const findings = (JSON.parse(stdout) as Report).findings.filter(({ name }) => name === '--bind');
  t.like(findings, [
    { status: 'bad', value: '192.0.2.1:8000', meaning: 'cannot listen at --bind 192.0.2.1:8000: no interface of this machine has that address' },
    { status: 'bad', value: `unix:${path}`, meaning: `cannot listen at --bind unix:${path}: there is no directory ${join(dir, 'no')}` },
  ]);
  t.is(findings.length, 2);
});

test('addresses that a drover serves are no fault, and it hears nothing of it', async (t) => {
  const dir = scratch(t);
  const [path, app] = [join(dir, 'sock'), join(dir, 'app.cjs')];
  writeFileSync(app, "let connections = 0;\nconst server = require('node:http').createServer((_, response) => response.end(String(connections)));\nmodule.exports = server.on('connection', () => connections++);\n");
  const d = await start(t, [app, '-w', '1', '-b', '127.0.0.1:0', '-b', `unix:${path}`]).ready();
  const tcp = await d.address();
  const binds = ['-b', `127.0.0.1:${(tcp as { port: number }).port}`, '-b', `unix:${path}`];
  t.is(doctor(['doctor', ...binds]).code, 0);
  t.like(doctor([app, '--check-config', ...binds]), { code: 0, stderr: '' });
  t.is((await get({ socketPath: path })).body, '1');
  t.is((await get(tcp)).body, '2');
});

test('the pid file: whether it can be written, and who has it', async (t) => {
  const dir = scratch(t);
  const path = join(dir, 'pid');
  const look = (file: string): { code: number | null; finding: Report['findings'][number] | undefined } => {
    const { code, stdout } = doctor(['doctor', '--json', '-p', file]);
    return { code, finding: (JSON.parse(stdout) as Report).findings.find(({ name }) => name === '--pidfile') };
  };
  t.like(look(path), { code: 0, finding: { value: path, status: 'ok', meaning: 'can be written' } });
  t.false(existsSync(path));

  const nowhere = look(join(dir, 'no/pid'));
  t.like(nowhere, { code: EXIT_CODES.unfit.code, finding: { status: 'bad', meaning: `--pidfile ${join(dir, 'no/pid')} cannot be written: there is no directory ${join(dir, 'no')} (flag -p)` } });
  t.regex(nowhere.finding!.fix!, /Give a path in a directory that exists/);

  writeFileSync(path, `${process.pid}\n`);
  const others = look(path);
  t.like(others, { code: EXIT_CODES.unfit.code, finding: { status: 'bad' } });
  t.regex(others.finding!.meaning, new RegExp(`\\(pid ${process.pid}\\), which is running and is no master of drover`));

  writeFileSync(path, '');
  const d = await start(t, [fixture('whoami.cjs'), '-w', '1', '-b', '127.0.0.1:0', '-p', path]).ready();
  const beside = look(path);
  t.like(beside, { code: 0, finding: { status: 'warn' } });
  t.regex(beside.finding!.meaning, new RegExp(`\\(pid ${d.pid}\\), which is running \\(flag -p\\)$`));
  t.regex(beside.finding!.fix!, /^Stop that drover first/);
});
