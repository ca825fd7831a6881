/** nginx answering by itself (`return 200`), with one shared listening socket and with `reuseport`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { versionOf, which } from '../install.js';
import { treeOf } from '../processes.js';
import { freePort, launch, type Rival } from '../rival.js';

function configuration(dir: string, port: number, workers: number, reuseport: boolean): string {
  return `
daemon off; master_process on; pid ${dir}/pid; error_log ${dir}/error.log crit; worker_processes ${workers}; worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
  access_log off; default_type text/plain; keepalive_requests 1000000; keepalive_timeout 60s; tcp_nodelay on;
  client_body_temp_path ${dir}/1; proxy_temp_path ${dir}/2; fastcgi_temp_path ${dir}/3; uwsgi_temp_path ${dir}/4; scgi_temp_path ${dir}/5;
  server {
    listen 127.0.0.1:${port} backlog=2048${reuseport ? ' reuseport' : ''};
    location = /pid { return 200 "$pid"; }
    location / { return 200 "Hello, world!"; }
  }
}
`;
}

function nginx(name: string, title: string, reuseport: boolean): Rival {
  return {
    name,
    title,
    kind: 'other',
    can: ['pid', 'hold', 'reload'],
    available: () => which('nginx') !== undefined || 'nginx is not installed',
    version: () => versionOf(which('nginx')!, ['-v']),
    async start({ workers }) {
      const port = await freePort();
      const dir = mkdtempSync(join(tmpdir(), 'drover-bench-nginx-'));
      writeFileSync(join(dir, 'nginx.conf'), configuration(dir, port, workers, reuseport));
      const running = await launch({
        command: which('nginx')!,
        args: ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')],
        workers,
        port,
        boots: false,
        async reload(child) {
          const old = new Set(treeOf(child.pid!));
          child.kill('SIGHUP');
          while (treeOf(child.pid!).some((pid) => pid !== child.pid && old.has(pid))) await sleep(20);
        },
      });
      return {
        ...running,
        async stop() {
          await running.stop();
          rmSync(dir, { recursive: true, force: true });
        },
      };
    },
  };
}

export default [nginx('nginx-shared', 'nginx, shared socket', false), nginx('nginx-reuseport', 'nginx, reuseport', true)];
