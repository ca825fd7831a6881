'use strict';
// Static files by what Node's users use. HOW: sirv, fastify, stream, none (only listens); FILES: the directory; MODULES: where the packages are. Else as server.cjs.
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { HOW, FILES, MODULES } = process.env;
const load = (name) => require(require.resolve(name, { paths: [MODULES] }));

function listener() {
  if (HOW === 'sirv') return load('sirv')(FILES);
  if (HOW === 'stream') {
    return (req, res) => {
      const file = path.join(FILES, path.basename(req.url));
      fs.stat(file, (error, stat) => {
        if (error || !stat.isFile()) return res.writeHead(404).end();
        res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': stat.size });
        fs.createReadStream(file).pipe(res);
      });
    };
  }
  return (req, res) => res.writeHead(404).end();
}

function ready() {
  const { user, system } = process.cpuUsage();
  const dir = process.env.BENCH_READY_DIR;
  if (!dir) return;
  const file = path.join(dir, String(process.pid));
  fs.writeFileSync(`${file}.part`, JSON.stringify({ ms: performance.now(), cpuUs: user + system }));
  fs.renameSync(`${file}.part`, file);
}

const place = { port: Number(process.env.PORT ?? 8000), host: process.env.HOST ?? '127.0.0.1' };
if (HOW === 'fastify') {
  const app = load('fastify')();
  app.register(load('@fastify/static'), { root: FILES });
  app.listen(place).then(ready);
} else {
  const server = http.createServer(listener());
  server.keepAliveTimeout = 60_000;
  server.listen(place, ready);
}
