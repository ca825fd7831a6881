/**
 * V8's code cache of the worker's bundle: a file in dist/cache, made by one worker and read by those that come after it. In the worker, before anything else;
 * every method throws when it cannot be done.
 *
 * A cache is code that nobody reads: who can write one can do all that a worker can. So it counts only if its directory and it belong to the owner of the
 * bundle, who could change that as well, and nobody else may write to either. And only a worker that runs as that owner makes one. Where root has installed
 * drover and a service user runs it there is none, unless root has run it once: a worker that was broken into shall leave nothing that others run.
 *
 * V8 refuses a cache of another version, of other flags or of a source of another length, and of one that is broken it looks at the head only. So the name
 * says what it was made of and for, and the file holds it twice: comparing two copies takes 0.02 ms; a sum over one, 0.5 to 1.5 ms, by zlib or by hand.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

/** With a process id: being written. */
const NAME = /^worker-.*\.cache(\.\d+)?$/;
/** Each version and each set of flags of Node has its own. */
const MOST = 8;
const WRITABLE_BY_OTHERS = 0o022;

export class CodeCache {
  readonly #directory: string;
  readonly #owner: number;
  /** How the names of all caches of this bundle begin. */
  readonly #stem: string;
  readonly #path: string;

  /** `bundle`: path; its last line is a comment with its hash. One that was changed by hand has the old hash, and another time. */
  constructor(bundle: string, source: string) {
    const { uid, mtimeMs } = statSync(bundle);
    const hash = source.slice(source.lastIndexOf('// ') + 3).trim();
    this.#directory = join(dirname(dirname(bundle)), 'cache');
    this.#owner = uid;
    this.#stem = `worker-${hash}-${Math.trunc(mtimeMs).toString(36)}-`;
    this.#path = join(this.#directory, `${this.#stem}${process.version}-${process.arch}-${environment()}.cache`);
  }

  read(): Buffer {
    const fd = openSync(this.#path, 'r');
    try {
      this.#check(fstatSync(fd));
      this.#check(statSync(this.#directory));
      const twice = readFileSync(fd);
      const half = twice.length / 2;
      const data = twice.subarray(0, half);
      if (!data.equals(twice.subarray(half))) throw new Error('the cache is broken');
      return data;
    } finally {
      closeSync(fd);
    }
  }

  /** Makes the place. What is handed back writes the cache, and removes those of other builds. */
  writer(): (data: Buffer) => void {
    if (process.geteuid!() !== this.#owner) throw new Error('not the owner of the code');
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    this.#check(statSync(this.#directory));
    const flags = flagsInForce();
    return (data) => {
      // An app can set V8's flags itself, after we have started: what was made under them would be refused by the next worker.
      if (flagsInForce() === flags) this.#write(data);
    };
  }

  #write(data: Buffer): void {
    const path = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(path, Buffer.concat([data, data]), { mode: 0o644 });
      renameSync(path, this.#path);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    const others = readdirSync(this.#directory).filter((name) => NAME.test(name) && join(this.#directory, name) !== this.#path);
    // And what siblings are writing at this moment: it is the same as ours.
    const isStale = (name: string): boolean => !name.startsWith(this.#stem) || !name.endsWith('.cache') || others.length >= MOST;
    for (const name of others.filter(isStale)) rmSync(join(this.#directory, name), { force: true });
  }

  #check({ uid, mode }: Stats): void {
    if (uid !== this.#owner || (mode & WRITABLE_BY_OTHERS) !== 0) throw new Error('others may have written it');
  }
}

/** What code depends on beside its source and the version: the flags of Node, and which build of that version it is. As text for a name. */
function environment(): string {
  let hash = 0;
  const text = [...process.execArgv, process.env['NODE_OPTIONS'], statSync(process.execPath).size].join('\n');
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash.toString(36);
}

/** Not imported: it takes more than a millisecond, and only who writes needs it. */
function flagsInForce(): number {
  return process.getBuiltinModule('node:v8').cachedDataVersionTag();
}
