// A script that calls listen() itself, as almost every Node program does. It runs unchanged under `node app.cjs` and under drover.
const http = require('node:http');

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`Hello from a script, worker ${process.pid}\n`);
});

server.listen(process.env.PORT || 3000, () => {
  console.log('listening at', server.address());
});
