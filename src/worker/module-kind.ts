/** What to do about a file that is written as one kind of module and taken for the other. In the worker. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

const WRITTEN_AS_ESM = /^(?:Cannot use import statement outside a module|Unexpected token 'export'|Cannot use 'import\.meta' outside a module)/;
/** Also of a function that is not async, which V8 does not tell apart. */
const AWAITS = /^await is only valid in async functions and the top level bodies of modules/;
const WRITTEN_AS_COMMONJS = /^(require|module|exports|__filename|__dirname) is not defined in ES module scope/;

/** The remedy, if that is what is wrong; `place`: `file:line`. */
export function otherModuleKind(error: Error, place: string | undefined): string | undefined {
  const file = place?.replace(/:\d+$/, '');
  if (file === undefined || file.includes('/node_modules/')) return undefined;
  if (error instanceof SyntaxError && WRITTEN_AS_ESM.test(error.message)) return toEsm(file, `${file} is written as an ES module, and Node takes it for CommonJS`);
  if (error instanceof SyntaxError && AWAITS.test(error.message)) return toEsm(file, `Make the function around this await async; outside of all functions await is for ES modules, and Node takes ${file} for CommonJS`);
  const name = error instanceof ReferenceError ? WRITTEN_AS_COMMONJS.exec(error.message)?.[1] : undefined;
  return name === undefined ? undefined : toCommonJs(file, name);
}

function toEsm(file: string, is: string): string {
  const rename = `rename it to ${renamed(file, 'm')}`;
  if (extname(file).startsWith('.c')) return `${is} for its name: ${rename}.`;
  const manifest = nearestManifest(file);
  return `${is}: ${manifest === undefined ? `put a package.json with { "type": "module" } beside it` : `set "type": "module" in ${manifest}`}, or ${rename}.`;
}

function toCommonJs(file: string, name: string): string {
  const instead = name.startsWith('__') ? `import.meta.${name.slice(2)}` : name === 'require' ? 'import' : 'export';
  const isByName = extname(file).startsWith('.m');
  const manifest = isByName ? undefined : nearestManifest(file);
  const isByManifest = manifest !== undefined && isModule(manifest);
  const why = isByManifest ? `by "type": "module" in ${manifest}` : isByName ? 'by its name' : 'by an import or export in it';
  const rename = isByManifest || isByName ? `, or rename the file to ${renamed(file, 'c')} if all of it is CommonJS` : '';
  return `${name} is CommonJS, and ${file} is an ES module ${why}: write ${instead} instead${rename}.`;
}

/** `app.mjs` for app.js. */
function renamed(file: string, kind: 'm' | 'c'): string {
  const extension = extname(file);
  return `${basename(file, extension)}.${kind}${extension.endsWith('ts') ? 'ts' : 'js'}`;
}

/** The package.json that Node goes by. */
function nearestManifest(file: string): string | undefined {
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    const manifest = join(directory, 'package.json');
    if (existsSync(manifest)) return manifest;
    if (directory === dirname(directory)) return undefined;
  }
}

function isModule(manifest: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: unknown }).type === 'module';
  } catch {
    return false;
  }
}
