import test from 'ava';
import http from 'node:http';
import { limitTimes } from '../../src/http/server-limits.js';

for (const [given, expected] of [
  [{ headerMs: -1, requestMs: 200 }, [200, 200]],
  [{ headerMs: 100, requestMs: 200 }, [100, 200]],
  [{ headerMs: 300, requestMs: 200 }, [200, 200]],
  [{ headerMs: 0, requestMs: 200 }, [0, 200]],
  [{ headerMs: 300, requestMs: 0 }, [300, 0]],
] as const) {
  test(`a head has no more time than its request: ${JSON.stringify(given)}`, (t) => {
    const server = http.createServer();
    limitTimes(server, { ...given, keepAliveMs: -1 });
    t.deepEqual([server.headersTimeout, server.requestTimeout], [...expected]);
  });
}
