'use strict';
// The app of bench/soak.ts: counts its connections by itself, to be compared with drover's counts.
// /counts: {"pid", "connections", "closed"}; /slow answers after 50 ms; everything else at once.
const http = require('node:http');
const counts = { pid: process.pid, connections: 0, closed: 0 };
const server = http.createServer((req, res) => {
  if (req.url === '/counts') return res.end(JSON.stringify(counts));
  if (req.url === '/slow') return void setTimeout(() => res.end('slow'), 50);
  res.end('Hello, world!');
});
server.on('connection', (socket) => {
  counts.connections += 1;
  socket.on('close', () => (counts.closed += 1));
});
server.keepAliveTimeout = 2_000;
server.listen(Number(process.env.PORT ?? 8000), '127.0.0.1');
