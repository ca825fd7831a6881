import test from 'ava';
import { defineConfig, EXIT_CODES, type DroverConfig, type DroverConfigExport } from '../src/index.js';

test('defineConfig returns what it is given', (t) => {
  const config: DroverConfig = { workers: 'auto', timeout: '30s', bind: [8000, 'unix:a'], logLevel: 'warning', env: { A: 'b' }, pidfile: undefined, whenReady: (server) => void server.workers() };
  t.is(defineConfig(config), config);
  const make = (): DroverConfig => config;
  t.is(defineConfig(make), make);
  const promise = Promise.resolve(config);
  t.is(defineConfig(promise), promise);
  // Either of them, which no overload would take.
  const either = (asked: boolean): DroverConfigExport => (asked ? async () => ({ workers: await Promise.resolve(2), whenReady: (server) => void server.pid }) : promise);
  t.is(defineConfig(either(false)), promise);
});

test('the types refuse what the loader would refuse', (t) => {
  // @ts-expect-error: no such choice
  void defineConfig({ logLevel: 'loud' });
  // @ts-expect-error: no such option
  void defineConfig({ wrokers: 4 });
  // @ts-expect-error: not for the config file
  void defineConfig({ printConfig: true });
  // @ts-expect-error: neither a number nor auto
  void defineConfig({ workers: 'many' });
  // @ts-expect-error: no duration
  void defineConfig({ timeout: '30 sec' });
  // @ts-expect-error: neither a duration nor app
  void defineConfig({ keepAlive: 'off' });
  // @ts-expect-error: no number of bytes
  void defineConfig({ limitRequestBody: '1 megabyte' });
  // @ts-expect-error: octal or decimal?
  void defineConfig({ umask: '22' });
  // @ts-expect-error: no such option
  void defineConfig(() => ({ wrokers: 4 }));
  // @ts-expect-error: no such choice
  void defineConfig(async () => Promise.resolve({ workers: 2, logLevel: 'loud' as const }));
  // @ts-expect-error: neither a number nor auto
  void defineConfig(Promise.resolve({ workers: 'many' }));
  const seconds: number = 30;
  void defineConfig({ timeout: `${seconds}s`, stallMs: '20', proxyTimeout: '1.5 s', keepAlive: 'app', headerTimeout: '500ms', writeTimeout: 0, staticMaxAge: '7d', limitRequestBody: '10M', umask: '022' });
  t.pass();
});

test('the package exports it under its name', async (t) => {
  const name = 'drover';
  const exported = (await import(name)) as Record<string, unknown>;
  t.deepEqual(Object.keys(exported).sort(), ['EXIT_CODES', 'defineConfig', 'sendFile']);
  t.is(EXIT_CODES.usage.code, 2);
});
