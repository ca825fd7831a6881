/** The screen on a server of this process; what it refuses and changes is seen in test/http/requests.test.ts and test/e2e. */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ScreenConfig } from '../../src/config/edge-config.js';
import { Edge } from '../../src/http/edge.js';
import type { PolicyContext } from '../../src/http/policy.js';
import { Refusals } from '../../src/http/refusal.js';
import { Screen } from '../../src/http/screen.js';

const config: ScreenConfig = {
  mount: '',
  forwardedAllowIps: ['127.0.0.1'],
  dropUntrusted: true,
  secureSchemeHeaders: { 'x-forwarded-proto': 'https' },
  forwarderHeaders: [],
  headerMap: 'drop',
  strict: true,
  requestId: 'lazy',
  requestIdHeader: 'X-Request-Id',
  lineBytes: 8190,
  fields: 100,
  fieldBytes: 8190,
  bodyBytes: 0,
  closes: false,
};

/** The properties that drover has put there, in their order. */
const ours = (object: object): string[] => Object.getOwnPropertySymbols(object).flatMap(({ description = '' }) => (description.startsWith('drover.') ? [description] : []));

test('of drover, requests and sockets have the same properties, whether a proxy is before them or not', async (t) => {
  const context: PolicyContext = { log: () => {}, countRefused: () => {}, origin: { pid: 1, slot: 0 }, openSockets: () => [], onRequestBegin: () => {}, onResponseEnd: () => {} };
  const seen: IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request);
    response.end();
  });
  new Edge([new Screen(config, context, new Refusals(context))]).watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  for (const headers of [{}, { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'https' }]) {
    const [response] = (await once(http.get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', headers, agent: false }), 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
  }
  const [direct, proxied] = seen;
  t.deepEqual(ours(proxied!.socket), ours(direct!.socket));
  t.deepEqual(ours(proxied!), ours(direct!));
  t.true(ours(direct!).length > 0 && ours(direct!.socket).length > 0);
});
