/** Every case of test/http/requests (see the README there), on an app that is a handler and on one that is a script. */
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { fixture, ROOT, start, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';

const FOLDER = join(ROOT, 'test/http/requests');

interface Case {
  name: string;
  request: Buffer;
  status: string;
  closes: boolean;
  app: string[];
}

function readCase(name: string): Case {
  const lines = readFileSync(join(FOLDER, `${name}.response`), 'utf8').trimEnd().split('\n').filter((line) => !line.startsWith('#'));
  const values = (key: string): string[] => lines.filter((line) => line.startsWith(`${key}: `)).map((line) => line.slice(key.length + 2));
  const [status, connection, app] = [values('status'), values('connection'), values('app')];
  if (status.length !== 1 || connection.length !== 1 || app.length === 0 || status.length + connection.length + app.length !== lines.length) throw new Error(`${name}.response is not a case`);
  if (!['closes', 'stays open'].includes(connection[0]!)) throw new Error(`${name}.response: connection: ${connection[0]!}`);
  return { name, request: readFileSync(join(FOLDER, `${name}.request`)), status: status[0]!, closes: connection[0] === 'closes', app: app[0] === 'nothing' ? [] : app };
}

const cases = readdirSync(FOLDER).filter((file) => file.endsWith('.request')).map((file) => readCase(file.slice(0, -'.request'.length)));

/** Sends the bytes; answers with the status codes once there are as many as expected and the connection is as expected. */
function exchange(address: Address, { request, status, closes }: Case): Promise<string> {
  const expected = status.split(', ');
  return new Promise((resolve, reject) => {
    let text = '';
    let probed = false;
    const socket = net.connect(address as net.TcpNetConnectOpts);
    const answers = (): string[] => [...text.matchAll(/(?:^|\n)HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code!);
    socket.setEncoding('latin1');
    // Data after a last response that was sent before all was read: the kernel's reset, which the client of a server that closes has to expect.
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : reject(error)));
    socket.on('data', (data: string) => {
      text += data;
      if (closes) return;
      const codes = answers();
      if (!probed && codes.length === expected.length) {
        probed = true;
        socket.write('GET /__probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      }
    });
    socket.on('close', () => {
      const codes = answers();
      if (!closes && probed) {
        if (codes.pop() !== '200') return resolve(`${codes.join(', ')}, then the connection was not served: ${text}`);
      } else if (!closes) return resolve(`closed after ${codes.join(', ')}`);
      resolve(codes.join(', '));
    });
    socket.write(request);
  });
}

for (const [shape, env] of [['a handler', {}], ['a script', { SCRIPT: '1' }]] as const) {
  test.serial(`every request on disk comes to what stands beside it: ${shape}`, async (t) => {
    const d = start(t, [fixture('seen.cjs'), '-b', '127.0.0.1:0'], { env });
    await d.ready();
    const address = await d.address();
    t.true(cases.length > 100);
    const differs: string[] = [];
    for (const one of cases) {
      const status = await exchange(address, one);
      const { body } = await get(address, '/__seen');
      const app = (JSON.parse(body) as string[]).filter((line) => !line.startsWith('GET /__probe '));
      if (status !== one.status || app.join('\n') !== one.app.join('\n')) differs.push(`${one.name}: ${status}; the app saw ${app.join(', ') || 'nothing'}`);
    }
    t.deepEqual(differs, []);
    const refused = new Set(d.events('request.refused').map(({ status }) => status));
    for (const status of [400, 414, 431]) t.true(refused.has(status), `${status} was logged`);
    await d.stop();
  });
}
