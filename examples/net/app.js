// Any protocol: a net server that sends back each line in capitals.
import { createServer } from 'node:net';

export default createServer((socket) => {
  socket.on('error', () => {});
  socket.setEncoding('utf8');
  socket.on('data', (text) => socket.write(text.toUpperCase()));
});
