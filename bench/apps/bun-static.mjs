// Bun.file of the directory FILES, in one process.
import { renameSync, writeFileSync } from 'node:fs';

Bun.serve({
  port: Number(process.env.PORT),
  hostname: process.env.HOST ?? '127.0.0.1',
  idleTimeout: 60,
  fetch: (request) => new Response(Bun.file(process.env.FILES + request.url.slice(request.url.indexOf('/', 8)))),
});
if (process.env.BENCH_READY_DIR) {
  const file = `${process.env.BENCH_READY_DIR}/${process.pid}`;
  const { user, system } = process.cpuUsage();
  writeFileSync(`${file}.part`, JSON.stringify({ ms: performance.now(), cpuUs: user + system }));
  renameSync(`${file}.part`, file);
}
