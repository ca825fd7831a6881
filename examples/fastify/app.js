// A factory that makes a Fastify instance. Its plugins are closed (onClose) when the worker's last connection is gone.
import fastify from 'fastify';

export default async function create() {
  const app = fastify();

  app.get('/', async () => `Hello from Fastify, worker ${process.pid}\n`);
  app.post('/echo', async (request) => request.body);

  return app;
}
