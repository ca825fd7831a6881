/** package.json as it is met by what installs drover. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import ts from 'typescript';

interface Entry {
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

// npm and pnpm add what a dependency of ours wants beside it. Yarn does not, nor npm with --omit=peer or --legacy-peer-deps.
test('what a dependency wants beside it is a dependency of drover', (t) => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Entry> };
  const ours = Object.keys(packages['']!.dependencies!);
  t.true(ours.length > 0);
  for (const name of ours) {
    const { peerDependencies = {}, peerDependenciesMeta = {} } = packages[`node_modules/${name}`]!;
    const wanted = Object.keys(peerDependencies).filter((peer) => peerDependenciesMeta[peer]?.optional !== true);
    t.deepEqual(wanted.filter((peer) => !ours.includes(peer)), [], name);
  }
});

// `node10` is what TypeScript does by itself for CommonJS, and does not read `exports`.
test('TypeScript finds the types, whatever its module resolution', (t) => {
  const installed = '/shop/node_modules/drover/';
  const here = (path: string): string => path.replace(installed, './');
  const host = { fileExists: (path: string) => path.startsWith(installed) && existsSync(here(path)), readFile: (path: string) => readFileSync(here(path), 'utf8') };
  for (const kind of ['Node10', 'Node16', 'NodeNext', 'Bundler'] as const) {
    const { resolvedModule } = ts.resolveModuleName('drover', '/shop/app.ts', { moduleResolution: ts.ModuleResolutionKind[kind] }, host);
    t.is(resolvedModule?.resolvedFileName, `${installed}dist/src/index.d.ts`, kind);
  }
});

// TypeScript 6 and newer take up @types/node only where something asks for it.
test("README's config file is right to TypeScript, with all that it imports, where @types/node is installed", (t) => {
  const [, example] = /```ts\n\/\/ drover\.config\.mts\n([^]+?)```/.exec(readFileSync('README.md', 'utf8'))!;
  const dir = mkdtempSync(join(tmpdir(), 'drover-types-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'node_modules/@types'), { recursive: true });
  symlinkSync(resolve('.'), join(dir, 'node_modules/drover'));
  symlinkSync(resolve('node_modules/@types/node'), join(dir, 'node_modules/@types/node'));
  const file = join(dir, 'drover.config.mts');
  writeFileSync(file, example!);
  const options: ts.CompilerOptions = { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts'], types: [], strict: true, noEmit: true, skipLibCheck: false };
  const wrong = ts.getPreEmitDiagnostics(ts.createProgram([file], options));
  t.deepEqual(wrong.map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`), []);
});
