// An Express app, exported: drover listens for it.
import express from 'express';

const app = express();

app.get('/', (request, response) => {
  response.send(`Hello from Express, worker ${process.pid}\n`);
});

app.post('/echo', express.json(), (request, response) => {
  response.json(request.body);
});

export default app;
