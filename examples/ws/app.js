// WebSockets beside plain requests: a server not yet listening, exported with what hangs on it.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer((request, response) => {
  response.end(`Hello from worker ${process.pid}; WebSockets welcome\n`);
});

const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
});

// WebSockets have no end of their own: when the worker drains, requests are finished first, then this runs.
process.on('SIGTERM', () => {
  for (const socket of sockets.clients) socket.close(1001, 'restarting');
});

export default server;
