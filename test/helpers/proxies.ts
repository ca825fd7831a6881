/** Real nginx and HAProxy in front of a server of the test's, where Debian's packages are installed. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { check, closeFd, native } from '../../src/native.js';

export type Proxy = 'nginx' | 'haproxy';

/** Where the program is, or undefined. */
export function proxyProgram(name: Proxy): string | undefined {
  return ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].map((folder) => join(folder, name)).find((path) => spawnSync(path, ['-v']).status === 0);
}

/** A folder for sockets and configurations, gone with the test. */
export function proxyFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'drover-proxy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A socket that a proxy inherits, and where it listens: who connects has an address, and nobody has to guess a free port. */
export interface Inherited {
  fd: number;
  address: { host: string; port: number };
}

export function openInherited(): Inherited {
  const fd = check('listen', native.listenTcp({ host: '127.0.0.1', port: 0, backlog: 64, reusePort: false, ipv6Only: false }));
  const address = check('getsockname', native.localAddress(fd));
  if (address.family === 'unix') throw new Error('not TCP');
  return { fd, address: { host: '127.0.0.1', port: address.port } };
}

/** The line that gives nginx its stream module ('' where it is built in); undefined where there is none. */
export function nginxStreamModule(): string | undefined {
  const program = proxyProgram('nginx');
  if (program === undefined) return undefined;
  if (/--with-stream(\s|$)/m.test(spawnSync(program, ['-V']).stderr.toString())) return '';
  const path = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules'].map((folder) => join(folder, 'ngx_stream_module.so')).find((file) => existsSync(file));
  return path === undefined ? undefined : `load_module ${path};\n`;
}

/**
 * nginx with these server blocks, each of which listens at a unix socket in `folder`; a proxy in front adds nothing of its own. `stream`: blocks of the stream module, which listen
 * at the addresses of `inherited`.
 */
export async function startNginx(t: ExecutionContext, folder: string, servers: string, { stream = '', inherited = [] }: { stream?: string; inherited?: readonly Inherited[] } = {}): Promise<void> {
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  // As root, its worker would be nobody, whom the sockets and the folder are not for.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const streams = stream === '' ? '' : `stream {\n${stream}\n}\n`;
  writeFileSync(file, `${stream === '' ? '' : nginxStreamModule()!}${user} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr warn;\nevents { worker_connections 64; }\nhttp { access_log off; underscores_in_headers on; ${temporary}\n${servers}\n}\n${streams}`);
  // Its own way to hand sockets to a new nginx: numbers in NGINX, each with a semicolon.
  const env = inherited.length === 0 ? process.env : { ...process.env, NGINX: inherited.map((_, at) => `${at + 3};`).join('') };
  const child = spawn(proxyProgram('nginx')!, ['-p', folder, '-c', file, '-e', 'stderr'], { env, stdio: ['ignore', 'ignore', 'pipe', ...inherited.map(({ fd }) => fd)] });
  for (const { fd } of inherited) closeFd(fd);
  await run(t, child, [...servers.matchAll(/listen unix:(\S+?)[;\s]/g)].map(([, path]) => path!));
}

/** HAProxy with these sections; the sockets of `bind` must be in `folder`, or be `fd@3` and on, which are those of `inherited`. */
export async function startHaproxy(t: ExecutionContext, folder: string, sections: string, inherited: readonly Inherited[] = []): Promise<void> {
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, `global\n  maxconn 64\ndefaults\n  mode http\n  timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n${sections}\n`);
  const child = spawn(proxyProgram('haproxy')!, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe', ...inherited.map(({ fd }) => fd)] });
  for (const { fd } of inherited) closeFd(fd);
  await run(t, child, [...sections.matchAll(/bind unix@(\S+)/g)].map(([, path]) => path!));
}

/** Until every socket takes connections. */
async function run(t: ExecutionContext, child: ChildProcess, sockets: readonly string[]): Promise<void> {
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGTERM');
    await gone;
  });
  for (const path of sockets) {
    for (let tries = 0; !(await connects(path)); tries++) {
      if (child.exitCode !== null || tries > 600) throw new Error(`${child.spawnfile} does not listen at ${path}: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function connects(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
