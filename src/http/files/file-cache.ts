/**
 * Files below a root that were asked for lately: open, with their headers made, the small ones with their bytes. In the worker.
 *
 * What is kept is compared with the disk before it is used, at most every CHECK_EVERY_MS: a file that was replaced, changed, removed or newly compressed is seen within that
 * time. Bounded in entries, descriptors and bytes; what was not used for longest goes first (the clock algorithm). Descriptors are for connections in the first place: where none is
 * left to accept one with or to open a file with, what the cache holds is given back.
 */
import type { Coding } from './encoding.js';
import { native } from '../../native.js';
import { mediaTypeOf } from './media-type.js';
import type { FileRange } from './on-socket.js';
import type { OpenFile } from './open-file.js';
import { isOutOfDescriptors, type Root } from './root.js';

export const CHECK_EVERY_MS = 100;
/** A file this small is kept with its bytes. */
export const CONTENT_BYTES = 64 * 1024;
/**
 * One this small goes out with its head in one write, which copies it. Copying is cheap while the pages that the kernel copies to are in this CPU's cache; a client, or a network card, that another CPU
 * serves takes them away, and then more than this is dearer to copy than sendfile(2) from memory, a system call more.
 */
export const COPIED_BYTES = 32 * 1024;

/** A file as it is sent: as it is, or compressed beforehand. */
export interface Variant {
  readonly file: OpenFile;
  readonly coding: Coding | undefined;
  /** Made by who sends it: the head, and the bytes where they are kept. */
  wire?: Wire | undefined;
}

export interface Wire {
  /** The head, and the body of a file that is copied. */
  bytes: Buffer;
  /** What is sent after them. */
  body: FileRange | undefined;
  /** The head as text, and what of it is before and after the date. */
  head: string;
  before: string;
  after: string;
  /** For which second the date is. */
  second: number;
  keepAliveTimeoutMs: number;
}

export interface Entry {
  readonly root: Root;
  /** Below the root; of a directory, that of its index. */
  readonly path: string;
  /** The URL names a directory without its slash. */
  readonly redirect: boolean;
  readonly contentType: string;
  readonly plain: Variant;
  readonly compressed: readonly Variant[];
  /** Whether its time stamp could not hide a change any more when it was opened. */
  readonly settled: boolean;
  checkedAt: number;
  used: boolean;
}

export interface Limits {
  entries: number;
  descriptors: number;
  bytes: number;
}

const LIMITS: Limits = { entries: 4096, descriptors: 512, bytes: 32 * 1024 * 1024 };
/** However few the process may have. */
const FEWEST_DESCRIPTORS = 4;
const MISSES = 1024;
/** Coarser than any clock of a filesystem (a tick is 10 ms at most). */
const SETTLED_MS = 50;
const SUFFIXES: readonly [string, Coding][] = [['.br', 'br'], ['.gz', 'gzip']];

/** Where a URL path may lead: for each root in turn, the path of a file, and whether the URL names a directory. */
export type Places = (urlPath: string) => Iterable<Place>;

/** There is a file, and no descriptor is left to open it with. */
export const UNAVAILABLE = 'unavailable';

/** How many descriptors the cache may take of those that a process may have. */
export function descriptorsOf(limit: number): number {
  return Math.max(FEWEST_DESCRIPTORS, Math.min(LIMITS.descriptors, Math.floor(limit / 8)));
}

export class FileCache {
  readonly #entries = new Map<string, Entry>();
  readonly #misses = new Map<string, number>();
  readonly #places: Places;
  readonly #limits: Limits;
  readonly #now: () => number;
  #descriptors = 0;
  #bytes = 0;

  constructor(places: Places, limits: Limits = { ...LIMITS, descriptors: descriptorsOf(native.descriptorLimit()) }, now: () => number = () => performance.now()) {
    this.#places = places;
    this.#limits = limits;
    this.#now = now;
  }

  get size(): Readonly<Limits> {
    return { entries: this.#entries.size, descriptors: this.#descriptors, bytes: this.#bytes };
  }

  /** What a URL path leads to; undefined: nothing. Its files are the cache's: who uses one beyond this turn says so to it. */
  get(urlPath: string): Entry | typeof UNAVAILABLE | undefined {
    const now = this.#now();
    const known = this.#entries.get(urlPath);
    if (known !== undefined) {
      if (now - known.checkedAt < CHECK_EVERY_MS) {
        known.used = true;
        return known;
      }
      if (known.settled && isStill(known)) {
        known.checkedAt = now;
        known.used = true;
        return known;
      }
      this.#remove(urlPath, known);
    }
    const missedAt = this.#misses.get(urlPath);
    if (missedAt !== undefined && now - missedAt < CHECK_EVERY_MS) return undefined;
    const entry = this.#find(urlPath, now);
    if (entry === undefined) {
      if (this.#misses.size >= MISSES) this.#misses.clear();
      this.#misses.set(urlPath, now);
      return undefined;
    }
    if (entry === UNAVAILABLE) return entry;
    this.#add(urlPath, entry);
    return entry;
  }

  /** Closes half of what is open and no response is using, the least recently used first: others than this request want some, too. Whether there was any. */
  giveBack(): boolean {
    const idle = [...this.#entries].filter(([, entry]) => {
      const files = [...variantsOf(entry)].map(({ file }) => file);
      return files.some((file) => file.holdsDescriptor) && !files.some((file) => file.isShared);
    });
    idle.sort(([, a], [, b]) => Number(a.used) - Number(b.used));
    for (const [urlPath, entry] of idle.slice(0, Math.ceil(idle.length / 2))) this.#remove(urlPath, entry);
    return idle.length > 0;
  }

  clear(): void {
    for (const [urlPath, entry] of this.#entries) this.#remove(urlPath, entry);
    this.#misses.clear();
  }

  #find(urlPath: string, now: number): Entry | typeof UNAVAILABLE | undefined {
    for (const place of this.#places(urlPath)) {
      let found = openPlace(place);
      if (found === UNAVAILABLE) {
        // What is not there is the app's, now as ever.
        if (!isThere(place)) continue;
        if (this.giveBack()) found = openPlace(place);
        if (found === UNAVAILABLE) return found;
      }
      if (found === undefined) continue;
      const { root } = place;
      const { path, redirect, file } = found;
      const compressed: Variant[] = [];
      for (const [suffix, coding] of redirect ? [] : SUFFIXES) {
        let variant = root.open(path + suffix);
        // Without it the file goes out as it is.
        if (isOutOfDescriptors(variant) && root.kind(path + suffix) === 'file' && this.giveBack()) variant = root.open(path + suffix);
        if (typeof variant === 'number') continue;
        if (variant.isFile) compressed.push({ file: variant, coding });
        else variant.drop();
      }
      const entry: Entry = {
        root, path, redirect, compressed,
        contentType: mediaTypeOf(path),
        plain: { file, coding: undefined },
        settled: [file, ...compressed.map((variant) => variant.file)].every(({ modifiedMs }) => Date.now() - modifiedMs > SETTLED_MS),
        checkedAt: now,
        used: false,
      };
      for (const variant of variantsOf(entry)) if (variant.file.size <= CONTENT_BYTES) variant.file.load();
      return entry;
    }
    return undefined;
  }

  #add(urlPath: string, entry: Entry): void {
    this.#entries.set(urlPath, entry);
    this.#count(entry, 1);
    const { entries, descriptors, bytes } = this.#limits;
    while (this.#entries.size > entries || this.#descriptors > descriptors || this.#bytes > bytes) {
      const [oldest, candidate] = this.#entries.entries().next().value!;
      if (candidate === entry && this.#entries.size === 1) break;
      if (candidate.used || candidate === entry) {
        // Once more around.
        candidate.used = false;
        this.#entries.delete(oldest);
        this.#entries.set(oldest, candidate);
      } else {
        this.#remove(oldest, candidate);
      }
    }
  }

  #remove(urlPath: string, entry: Entry): void {
    this.#entries.delete(urlPath);
    this.#count(entry, -1);
    for (const { file } of variantsOf(entry)) file.drop();
  }

  #count(entry: Entry, sign: 1 | -1): void {
    for (const { file } of variantsOf(entry)) {
      if (file.content === undefined || file.size > COPIED_BYTES) this.#descriptors += sign;
      // The bytes, and what is made of them to be sent.
      if (file.content !== undefined) this.#bytes += sign * 2 * file.size;
    }
  }
}

function* variantsOf(entry: Entry): Iterable<Variant> {
  yield entry.plain;
  yield* entry.compressed;
}

interface Place {
  root: Root;
  path: string;
  directory: boolean;
}

/** The file of a place, or a directory's index. Undefined: nothing that can be served. UNAVAILABLE: not known, for want of a descriptor. */
function openPlace({ root, path, directory }: Place): { file: OpenFile; path: string; redirect: boolean } | typeof UNAVAILABLE | undefined {
  const file = root.open(path);
  if (typeof file === 'number') return isOutOfDescriptors(file) ? UNAVAILABLE : undefined;
  if (file.isFile && !directory) return { file, path, redirect: false };
  const isDirectory = file.isDirectory;
  file.drop();
  if (!isDirectory) return undefined;
  const indexPath = indexOf(path);
  const index = root.open(indexPath);
  if (typeof index === 'number') return isOutOfDescriptors(index) ? UNAVAILABLE : undefined;
  if (index.isFile) return { file: index, path: indexPath, redirect: !directory };
  index.drop();
  return undefined;
}

/** Whether `openPlace` would find something, as far as can be told without a descriptor. */
function isThere({ root, path, directory }: Place): boolean {
  const kind = root.kind(path);
  return kind === 'file' ? !directory : kind === 'directory' && root.kind(indexOf(path)) === 'file';
}

function indexOf(path: string): string {
  return path === '' ? 'index.html' : `${path}/index.html`;
}

function isStill(entry: Entry): boolean {
  const { root, path, plain, compressed } = entry;
  if (!root.isStill(path, plain.file)) return false;
  return entry.redirect || SUFFIXES.every(([suffix, coding]) => {
    const variant = compressed.find((candidate) => candidate.coding === coding);
    return variant === undefined ? !root.has(path + suffix) : root.isStill(path + suffix, variant.file);
  });
}
