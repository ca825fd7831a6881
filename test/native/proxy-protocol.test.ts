/** The parser of PROXY headers, by the cases of proxy-protocol.vectors.json: a new case is a line there. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { native, PROXY_VERSIONS, type ProxyHeader, type ProxyRefusal } from '../../src/native.js';

type Parsed = (ProxyHeader & { length: number }) | ProxyRefusal | 'more';

interface Vector {
  name: string;
  /** One of the two: latin1, or hexadecimal. */
  text?: string;
  hex?: string;
  /** Zero bytes to add. */
  pad?: number;
  version?: keyof typeof PROXY_VERSIONS;
  expect: Parsed;
}

const vectors = JSON.parse(readFileSync(fileURLToPath(new URL('../../../test/native/proxy-protocol.vectors.json', import.meta.url)), 'utf8')) as Vector[];

function bytesOf({ text, hex, pad = 0 }: Vector): Buffer {
  return Buffer.concat([text === undefined ? Buffer.from(hex!, 'hex') : Buffer.from(text, 'latin1'), Buffer.alloc(pad)]);
}

function parse(bytes: Buffer, version: keyof typeof PROXY_VERSIONS = 'auto'): Parsed {
  // A copy of just these bytes, so that a read beyond them is one beyond the buffer.
  const buffer = new Uint8Array(bytes).buffer;
  return native.parseProxyHeader(buffer, PROXY_VERSIONS[version]) ?? 'more';
}

for (const vector of vectors) {
  const { name, version, expect } = vector;
  const bytes = bytesOf(vector);

  test(name, (t) => {
    t.deepEqual(parse(bytes, version), expect);
  });

  if (bytes.length < 2) continue;
  test(`${name}: every beginning of it is incomplete, or wrong in the same way`, (t) => {
    const whole = typeof expect !== 'string' && 'length' in expect ? expect.length : Infinity;
    for (let length = 0; length < bytes.length; length += 1) {
      const parsed = parse(bytes.subarray(0, length), version);
      if (parsed === 'more') t.true(length < whole, `${length} bytes`);
      else t.deepEqual(parsed, expect, `${length} bytes`);
      if (length >= whole) t.not(parsed, 'more');
    }
  });
}

test('every fault there is has a case', (t) => {
  const source = readFileSync(fileURLToPath(new URL('../../../native/proxy_protocol.cc', import.meta.url)), 'utf8');
  const faults = new Set([...source.matchAll(/malformed\("(.*?)"\)/g)].map(([, fault]) => fault));
  const told = new Set(vectors.map(({ expect }) => (typeof expect !== 'string' && 'fault' in expect ? expect.fault : undefined)).filter((fault) => fault));
  t.deepEqual([...told].sort(), [...faults].sort());
});
