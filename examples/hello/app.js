// The smallest app: a handler.
export default function hello(request, response) {
  response.end(`Hello from worker ${process.pid}\n`);
}
