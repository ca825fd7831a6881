// A Hono app, or any default export with a fetch(request): drover bridges it with @hono/node-server.
import { Hono } from 'hono';

const app = new Hono();

app.get('/', (context) => context.text(`Hello from Hono, worker ${process.pid}\n`));
app.post('/echo', async (context) => context.json(await context.req.json()));

export default app;
