// TLS: an https server, exported. The certificate beside it is self-signed, for localhost, and worth nothing.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const read = (name) => readFileSync(new URL(name, import.meta.url));

export default createServer({ key: read('key.pem'), cert: read('cert.pem') }, (request, response) => {
  response.end(`Hello over TLS, worker ${process.pid}\n`);
});
