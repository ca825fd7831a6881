// Bun's own server: `bun bun-server.mjs WORKERS` starts WORKERS children of itself, each with reusePort. Routes as in server.cjs.
import { renameSync, writeFileSync } from 'node:fs';

if (process.env.BENCH_BUN_CHILD === undefined) {
  const children = [];
  for (let i = 0; i < Number(process.argv[2]); i++) {
    children.push(Bun.spawn([process.execPath, import.meta.path], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, BENCH_BUN_CHILD: '1' } }));
  }
  process.on('SIGTERM', () => {
    for (const child of children) child.kill('SIGKILL');
    process.exit(0);
  });
} else {
  const pid = String(process.pid);
  let blocking = false;
  const block = () => {
    Bun.sleepSync(400);
    setTimeout(block, 100);
  };
  Bun.serve({
    port: Number(process.env.PORT),
    hostname: process.env.HOST ?? '127.0.0.1',
    reusePort: true,
    idleTimeout: 60,
    fetch(request) {
      const path = request.url.slice(request.url.indexOf('/', 8));
      if (path === '/block' && !blocking) {
        blocking = true;
        setTimeout(block, 100);
      }
      return new Response(path === '/pid' ? pid : 'Hello, world!');
    },
  });
  if (process.env.BENCH_READY_DIR) {
    const file = `${process.env.BENCH_READY_DIR}/${pid}`;
    const { user, system } = process.cpuUsage();
    writeFileSync(`${file}.part`, JSON.stringify({ ms: performance.now(), cpuUs: user + system }));
    renameSync(`${file}.part`, file);
  }
}
