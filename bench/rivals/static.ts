/** Servers of static files, one process of work each: drover in its ways, what Node's users use, Bun.file, nginx. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromNpm, versionOf, which } from '../install.js';
import { APPS, CACHE, ROOT } from '../paths.js';
import { freePort, launch, type Rival } from '../rival.js';
import bun from './bun.js';

/** In bytes, by the names that a request has for them. */
export const SIZES = { '4k': 4096, '64k': 65_536, '1m': 1 << 20, '64m': 64 << 20 } as const;

const FILES = `${CACHE}static`;

function files(): string {
  mkdirSync(FILES, { recursive: true });
  for (const [name, bytes] of Object.entries(SIZES)) {
    const path = join(FILES, `${name}.bin`);
    if (!existsSync(path) || statSync(path).size !== bytes) writeFileSync(path, randomBytes(bytes));
  }
  return FILES;
}

/** `how` as static-server.cjs has it, from the package `spec`. */
function onNode(name: string, title: string, how: string, spec?: string): Rival {
  const found = (): { path: string } | { why: string } => (spec === undefined ? { path: ROOT } : fromNpm(spec, `${spec.replace(/(.)@.*$/, '$1')}/package.json`));
  return {
    name,
    title,
    kind: 'node',
    can: [],
    available() {
      const there = found();
      return 'why' in there ? there.why : true;
    },
    version: () => process.version,
    async start() {
      const env = { HOW: how, FILES: files(), MODULES: (found() as { path: string }).path.replace(/\/package\.json$/, '') };
      return launch({ command: process.execPath, args: [`${APPS}static-server.cjs`], workers: 1, port: await freePort(), boots: true, env });
    },
  };
}

function drover(name: string, title: string, how: string, flags: readonly string[], spec?: string): Rival {
  return {
    ...onNode(name, title, how, spec),
    kind: 'drover',
    async start() {
      const port = await freePort();
      const modules = spec === undefined ? ROOT : (fromNpm(spec, `${spec.replace(/(.)@.*$/, '$1')}/package.json`) as { path: string }).path.replace(/\/package\.json$/, '');
      const dir = files();
      return launch({
        command: process.execPath,
        args: [`${ROOT}dist/cli/main.cjs`, `${APPS}static-server.cjs`, '-w', '1', '-b', `127.0.0.1:${port}`, ...flags.map((flag) => flag.replace('FILES', dir))],
        workers: 1, port, boots: true, env: { HOW: how, FILES: dir, MODULES: modules },
      });
    },
  };
}

const nginx: Rival = {
  name: 'static-nginx',
  title: 'nginx, sendfile on',
  kind: 'other',
  can: [],
  available: () => which('nginx') !== undefined || 'nginx is not installed',
  version: () => versionOf(which('nginx')!, ['-v']),
  async start() {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), 'drover-bench-nginx-'));
    writeFileSync(join(dir, 'nginx.conf'), `
daemon off; pid ${dir}/pid; error_log ${dir}/error.log crit; worker_processes 1;
events {}
http {
  access_log off; default_type application/octet-stream; keepalive_requests 1000000; keepalive_timeout 60s; sendfile on; tcp_nopush on; open_file_cache max=1000;
  client_body_temp_path ${dir}/1; proxy_temp_path ${dir}/2; fastcgi_temp_path ${dir}/3; uwsgi_temp_path ${dir}/4; scgi_temp_path ${dir}/5;
  server { listen 127.0.0.1:${port}; root ${files()}; }
}
`);
    const running = await launch({ command: which('nginx')!, args: ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], workers: 1, port, boots: false });
    return {
      ...running,
      async stop() {
        await running.stop();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  },
};

const bunFile: Rival = {
  ...bun[0]!,
  name: 'static-bun',
  title: 'Bun.file',
  can: [],
  async start() {
    const platform = `@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`;
    const command = which('bun') ?? (fromNpm(platform, `${platform}/bin/bun`) as { path: string }).path;
    return launch({ command, args: [`${APPS}bun-static.mjs`], workers: 1, port: await freePort(), boots: true, env: { FILES: files() } });
  },
};

export default [
  drover('static-drover', 'drover --static', 'none', ['--static', '/=FILES']),
  drover('static-drover-read', 'drover --static --no-sendfile', 'none', ['--static', '/=FILES', '--no-sendfile']),
  drover('static-drover-sirv', 'sirv under drover', 'sirv', [], 'sirv@3'),
  onNode('static-sirv', 'sirv', 'sirv', 'sirv@3'),
  onNode('static-fastify', '@fastify/static', 'fastify', '@fastify/static@10'),
  onNode('static-stream', 'fs.createReadStream', 'stream'),
  bunFile,
  nginx,
];
