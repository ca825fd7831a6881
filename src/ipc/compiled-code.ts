/**
 * The worker's code as V8 has compiled it, on its way from the master to its workers: in a file in memory, of which each worker has a descriptor from its start.
 *
 * Compiling some 250 KB anew took a worker as long as all else of drover's until it is ready. What V8 keeps of code that was compiled and not run (where its functions begin
 * and end) is read back in a tenth of the time; each function is then compiled when it is first called, as ever. What was tried before and is not done: a cache of code that had run, in a file on
 * disk. It saves more, but a worker that had been idle for some time paid half as much CPU again per connection, and who can write such a file has all that workers have.
 *
 * Layout: two u32 (bytes of the source, bytes of what was compiled of it; 0 until both are there), the source, the rest. With the source, since V8 itself knows what a cache is of by
 * its length only. The master writes, once, while the first workers are still starting Node; who comes too early compiles for itself. Rank 2.
 */
import { readSync, writeSync } from 'node:fs';
import vm from 'node:vm';

/** The number that its descriptor has in a worker. */
export const COMPILED_FD = 4;
const HEAD_BYTES = 8;

/** What the functions around CommonJS modules are given. */
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'] as const;
type Run = (this: unknown, exports: unknown, require: NodeJS.Require, module: NodeJS.Module, filename: string, dirname: string) => void;

/** `source`: of a CommonJS module, in ASCII. It cannot have import(): on Node 20 V8 forgets whom to ask for it (.ci/bundle.mjs puts that in a file of its own). */
export function writeCompiled(fd: number, source: Buffer, filename: string): void {
  const { cachedData } = compile(source.toString('latin1'), filename, { produceCachedData: true });
  if (cachedData === undefined) return;
  writeAll(fd, source, HEAD_BYTES);
  writeAll(fd, cachedData, HEAD_BYTES + source.length);
  // Last: it says that the rest is there.
  writeAll(fd, new Uint32Array([source.length, cachedData.length]), 0);
}

/** The function around the module; undefined: it is not there yet. Where V8 will not have it, being of other flags, the source is compiled. */
export function readCompiled(fd: number, filename: string): Run | undefined {
  const head = new Uint32Array(2);
  if (readSync(fd, head, 0, HEAD_BYTES, 0) < HEAD_BYTES) return undefined;
  const [sourceBytes, compiledBytes] = head as unknown as [number, number];
  if (sourceBytes === 0) return undefined;
  const bytes = Buffer.allocUnsafeSlow(sourceBytes + compiledBytes);
  if (readSync(fd, bytes, 0, bytes.length, HEAD_BYTES) < bytes.length) return undefined;
  return compile(bytes.toString('latin1', 0, sourceBytes), filename, { cachedData: bytes.subarray(sourceBytes) });
}

function compile(source: string, filename: string, options: { produceCachedData: true } | { cachedData: Buffer }): Run & { cachedData?: Buffer } {
  return vm.compileFunction(source, PARAMETERS, { filename, ...options }) as unknown as Run & { cachedData?: Buffer };
}

function writeAll(fd: number, bytes: Uint8Array | Uint32Array, position: number): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), at, bytes.byteLength - at, position + at);
}
