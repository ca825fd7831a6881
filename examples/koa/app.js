// A Koa app, exported: drover listens for it.
import Koa from 'koa';

const app = new Koa();

app.use((context) => {
  context.body = `Hello from Koa, worker ${process.pid}\n`;
});

export default app;
