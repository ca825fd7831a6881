/** What requests say and what it means: paths, codings, media types. */
import test from 'ava';
import { acceptedCodings } from '../../../src/http/files/encoding.js';
import { mediaTypeOf } from '../../../src/http/files/media-type.js';
import { parseUrlPath, splitTarget } from '../../../src/http/files/url-path.js';

const PATHS: [text: string, path: string | undefined, directory?: boolean][] = [
  ['', '', false],
  ['/', '', true],
  ['/a', 'a'],
  ['/a/', 'a', true],
  ['/a/b.css', 'a/b.css'],
  ['/a%20b', 'a b'],
  ['/%C3%A4', 'ä'],
  ['/a%25b', 'a%b'],
  ['/a+b', 'a+b'],
  ['/a\\b', 'a\\b'],
  ['/a..b', 'a..b'],
  ['/..', undefined],
  ['/../a', undefined],
  ['/a/../b', undefined],
  ['/%2e%2e/a', undefined],
  ['/.%2E/a', undefined],
  ['/.', undefined],
  ['/a/./b', undefined],
  ['/.env', undefined],
  ['/%2eenv', undefined],
  ['/.git/config', undefined],
  ['/a%2fb', undefined],
  ['/..%2fa', undefined],
  ['/a%00.css', undefined],
  ['/%', undefined],
  ['/%zz', undefined],
  ['/%ff', undefined],
  ['/%c0%ae%c0%ae/a', undefined],
  ['//a', undefined],
  ['/a//b', undefined],
  ['//', undefined],
  ['a', undefined],
  [`/${'a/'.repeat(3000)}`, undefined],
];

for (const [text, path, directory = false] of PATHS) {
  test(`the path ${text.slice(0, 40)}`, (t) => t.deepEqual(parseUrlPath(text), path === undefined ? undefined : { path, directory }));
}

const TARGETS: [target: string, expected: [string, string] | undefined][] = [
  ['/a?b=1?c', ['/a', '?b=1?c']],
  ['/a', ['/a', '']],
  ['http://host:80/a?b', ['/a', '?b']],
  ['http://host', ['/', '']],
  ['http://host?b', ['/', '?b']],
  ['*', undefined],
  ['a', undefined],
];

for (const [target, expected] of TARGETS) {
  test(`the target ${target}`, (t) => t.deepEqual(splitTarget(target), expected === undefined ? undefined : { path: expected[0], query: expected[1] }));
}

const CODINGS: [header: string | undefined, expected: string[]][] = [
  [undefined, []],
  ['', []],
  ['gzip, deflate, br, zstd', ['br', 'gzip']],
  ['gzip', ['gzip']],
  ['x-gzip', ['gzip']],
  ['GZIP;Q=1, BR;q=0.5', ['gzip', 'br']],
  ['br;q=0, gzip', ['gzip']],
  ['*', ['br', 'gzip']],
  ['*;q=0', []],
  ['gzip;q=0, *', ['br']],
  ['identity', []],
  ['identity;q=1, gzip;q=0.5', []],
  ['gzip;q=0.5, identity;q=0.1', ['gzip']],
  ['br;q=x', ['br']],
  ['deflate', []],
];

for (const [header, expected] of CODINGS) {
  test(`Accept-Encoding: ${String(header)}`, (t) => t.deepEqual(acceptedCodings(header), expected as never));
}

const TYPES: [name: string, type: string][] = [
  ['a/b.css', 'text/css; charset=utf-8'],
  ['b.JS', 'text/javascript; charset=utf-8'],
  ['b.mjs', 'text/javascript; charset=utf-8'],
  ['index.html', 'text/html; charset=utf-8'],
  ['a.json', 'application/json; charset=utf-8'],
  ['a.svg', 'image/svg+xml'],
  ['a.wasm', 'application/wasm'],
  ['a.woff2', 'font/woff2'],
  ['a.unheard-of', 'application/octet-stream'],
  ['css', 'application/octet-stream'],
  ['a.css/css', 'application/octet-stream'],
];

for (const [name, type] of TYPES) test(`the media type of ${name}`, (t) => t.is(mediaTypeOf(name), type));
