'use strict';
// The app of every Node rival: an unmodified program that listens by itself. Under drover, node:cluster, pm2 and alone it is this file.
//   PORT, HOST                where to listen
//   BENCH_READY_DIR           a file per process is written here once it listens: {"ms": since process start, "cpuUs": used until then}
//   BENCH_REUSEPORT=1         listen with Node's own reusePort (Node >= 23.1)
// Routes: / 13 bytes; /work the same, after blocking this process for an exponential time of mean 20 ms; /pid the process's id; /block takes this process out of its event loop for 400 ms in every 500 from then on.
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const body = Buffer.from('Hello, world!');
const pid = Buffer.from(String(process.pid));
const pause = new Int32Array(new SharedArrayBuffer(4));
let blocking = false;

function block() {
  Atomics.wait(pause, 0, 0, 400); // out of the loop, yet off the CPU: the rivals share the machine with the load
  setTimeout(block, 100);
}

function answer(req, res) {
  let text = body;
  if (req.url === '/pid') text = pid;
  else if (req.url === '/work') Atomics.wait(pause, 0, 0, -20 * Math.log(1 - Math.random()));
  else if (req.url === '/block' && !blocking) {
    blocking = true;
    setTimeout(block, 100);
  }
  res.writeHead(200, { 'content-type': 'text/plain', 'content-length': text.length });
  res.end(text);
}

const server = http.createServer(answer);
server.keepAliveTimeout = 60_000;
server.listen({
  port: Number(process.env.PORT ?? 8000),
  host: process.env.HOST ?? '127.0.0.1',
  backlog: 2048,
  ...(process.env.BENCH_REUSEPORT ? { reusePort: true } : {}),
}, () => {
  const ms = performance.now();
  const { user, system } = process.cpuUsage();
  const dir = process.env.BENCH_READY_DIR;
  if (!dir) return;
  const file = path.join(dir, String(process.pid));
  fs.writeFileSync(`${file}.part`, JSON.stringify({ ms, cpuUs: user + system }));
  fs.renameSync(`${file}.part`, file);
});
