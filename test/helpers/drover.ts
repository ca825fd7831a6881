/**
 * Starts the real CLI for a test and watches its log.
 *
 * drover logs JSON on stderr here; every record is kept, and `event()` waits on records, past ones included, so tests wait on what
 * happened and never on a clock. Whatever a test starts carries a mark in its environment: at the end of the test, passed or not,
 * every process with the mark is ended by its pid, and after a clean stop there must be none.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { EventName } from '../../src/log/events.js';

/** The repository: this file runs from dist/test/helpers. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const CLI = join(ROOT, 'dist/cli/main.cjs');
/** Prefix that runs drover on a terminal, whose text is then its stdout: TERM, and so `stop()`, closes it; it ends as drover does. */
export const ON_TERMINAL = ['python3', join(ROOT, 'test/helpers/terminal.py')];
export const IS_ROOT = process.getuid?.() === 0;

/** A one-purpose app of test/fixtures/e2e. */
export function fixture(name: string): string {
  return join(ROOT, 'test/fixtures/e2e', name);
}

/** One line of the log. */
export interface LogRecord {
  event: EventName;
  msg: string;
  [field: string]: unknown;
}

/** Where drover can be asked: what http.request wants. */
export type Address = { host: string; port: number } | { socketPath: string };

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** What to run node through: `['setpriv', '--reuid=65534']`. */
  prefix?: string[];
  /** Descriptors beyond 2. */
  fds?: number[];
  /** No --log-format, --log-level: as a person runs it. */
  plain?: boolean;
  /** Another drover than that of the repository: its dist/cli/main.cjs. */
  cli?: string;
}

type Match = Record<string, unknown> | ((record: LogRecord) => boolean);

/** Longest wait for an event; far more than any needs, so that only a real failure meets it. */
const WAIT_MS = 40_000;

export class Drover {
  readonly child: ChildProcess;
  readonly records: LogRecord[] = [];
  /** What came on stderr and is no record: the app's own words, and drover's to a person. */
  text = '';
  stdout = '';
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  readonly #mark: string;
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], options: StartOptions = {}) {
    this.#mark = `TEST_OF_DROVER=${randomUUID()}`;
    const [name, value] = this.#mark.split('=') as [string, string];
    const flags = options.plain === true ? [] : ['--log-format', 'json', '--log-level', 'debug'];
    const command = [...(options.prefix ?? []), process.execPath, options.cli ?? CLI, ...flags, ...args];
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...(options.fds ?? [])];
    this.child = spawn(command[0]!, command.slice(1), {
      cwd: options.cwd ?? fixture(''),
      env: { ...cleanEnvironment(), ...options.env, [name]: value },
      stdio,
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#wake();
    });
    createInterface({ input: this.child.stderr! }).on('line', (line) => {
      const record = parseRecord(line);
      if (record === undefined) this.text += `${line}\n`;
      else this.records.push(record);
      this.#wake();
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      // 'close' would wait for the workers, which inherit stderr; after 'exit' give the pipe's last lines a turn.
      this.child.once('exit', (code, signal) => {
        // And it does get one, however late that timer is: timers run before what is ready is read.
        setTimeout(() => {
          setImmediate(() => {
            this.exit = { code, signal };
            this.#wake();
            resolve(this.exit);
          });
        }, 50);
      });
    });
    this.exited.catch(() => {});
  }

  get pid(): number {
    return this.child.pid!;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Wait until `check` answers something; it is asked again whenever anything happens. Fails with the log so far. */
  until<T>(what: string, check: () => T | undefined, whenExited: 'fail' | 'wait' = 'fail'): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = (): void => {
        const found = check();
        if (found !== undefined) {
          end();
          resolve(found);
        } else if (this.exit !== undefined && whenExited === 'fail') {
          end();
          reject(new Error(`drover exited (${JSON.stringify(this.exit)}) before ${what}\n${this.log()}`));
        }
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`waited in vain for ${what}\n${this.log()}`));
      }, WAIT_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /** How many records there are: give it to `event` as `after` to wait for a new one. */
  mark(): number {
    return this.records.length;
  }

  /** The records of an event so far. */
  events(name: EventName, match: Match = {}, after = 0): LogRecord[] {
    return this.records.slice(after).filter((record) => record.event === name && matches(record, match));
  }

  /** The first record of an event that matches, also one already there; only records from `after` on count. */
  event(name: EventName, match: Match = {}, after = 0): Promise<LogRecord> {
    return this.until(`${name} ${describe(match)}`, () => this.events(name, match, after)[0]);
  }

  /** Wait until there are `count` such records. */
  async count(count: number, name: EventName, match: Match = {}, after = 0): Promise<LogRecord[]> {
    return this.until(`${count} × ${name} ${describe(match)}`, () => {
      const found = this.events(name, match, after);
      return found.length >= count ? found : undefined;
    });
  }

  /** Wait until the full number of workers is ready. */
  async ready(): Promise<this> {
    await this.event('master.ready');
    return this;
  }

  /** Where drover listens: the n-th address that it told. */
  async address(n = 0): Promise<Address> {
    const records = await this.count(n + 1, 'master.listening');
    return parseAddress(String(records[n]!['address']));
  }

  /** Pids of the workers that are ready and alive, oldest first. */
  workers(): number[] {
    const gone = new Set(
      this.records.filter((r) => r.event === 'worker.exited' || r.event === 'worker.died' || r.event === 'worker.draining').map((r) => r['worker']),
    );
    return this.events('worker.ready').map((r) => r['worker'] as number).filter((pid) => !gone.has(pid));
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** SIGTERM, wait for the exit, and see that nothing is left. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.exit === undefined) this.signal(signal);
    const exit = await this.finished();
    return exit;
  }

  /** Wait for the exit, then for nothing to be left of it. */
  async finished(): Promise<Exit> {
    const exit = await this.until('the exit', () => this.exit, 'wait');
    await this.gone();
    return exit;
  }

  /** Wait until no process started by this run is left. */
  async gone(): Promise<void> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const left = this.processes();
      if (left.length === 0) return;
      if (Date.now() > deadline) throw new Error(`processes left: ${left.join(', ')}\n${this.log()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Every living process with our mark: the master, its workers and what those started. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => readQuietly(`/proc/${pid}/environ`).includes(this.#mark));
  }

  /** The log so far, for a failing test's message. */
  log(): string {
    return `--- log\n${this.records.map((r) => JSON.stringify(r)).join('\n')}\n--- stderr\n${this.text}--- stdout\n${this.stdout}---`;
  }

  /** End everything at once, by pid. */
  async destroy(): Promise<void> {
    for (let left = this.processes(); left.length > 0; left = this.processes()) {
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // gone meanwhile
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Start drover for this test. It is stopped when the test ends: gracefully, leaving nothing, if the test has passed. */
export function start(t: ExecutionContext<any>, args: readonly string[], options: StartOptions = {}): Drover {
  const drover = new Drover(args, options);
  t.teardown(async () => {
    try {
      if (t.passed) await drover.stop();
      else t.log(drover.log());
    } finally {
      await drover.destroy();
    }
  });
  return drover;
}

/** A directory of the test's own, removed at its end. */
export function scratch(t: ExecutionContext<any>): string {
  const dir = mkdtempSync(join(tmpdir(), 'drover-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A drover of the test's own: its command line is `dist/cli/main.cjs` in `dir`. */
export function install(dir: string): void {
  for (const path of ['package.json', 'dist/src', 'dist/cli', 'dist/worker', 'build/Release/drover.node']) cpSync(join(ROOT, path), join(dir, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
}

/** The state letter of a process (`T` stopped, `Z` zombie), or undefined when there is none. */
export function processState(pid: number): string | undefined {
  return /^State:\s+(\S)/m.exec(readQuietly(`/proc/${pid}/status`))?.[1];
}

/** How many descriptors of a process, its standard ones aside, have a name with this in it: a file's path, `socket:`. */
export function openDescriptors(pid: number | 'self', name: string): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return Number(fd) > 2 && readlinkSync(`/proc/${pid}/fd/${fd}`).includes(name);
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** Wait for something that no record tells: asked every 20 ms, failing after as long as `event` waits. */
export async function poll<T>(what: string, check: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function parseAddress(text: string): Address {
  const bare = text.replace(/^https?:\/\//, '').replace(/^unix:/, '');
  const tcp = /^\[?([^\]]*?)\]?:(\d+)$/.exec(bare);
  if (tcp !== null) return { host: tcp[1]!, port: Number(tcp[2]) };
  return { socketPath: bare.startsWith('@') ? `\0${bare.slice(1)}` : bare };
}

/** Our environment without what would configure drover or Node behind a test's back; DROVER_ADDON stays: the sanitizers' builds. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    // DROVER_ADDON stays: it names the addon's sanitizer build, where .ci/run tests that.
    if (/^(DROVER_(?!ADDON$)|npm_|AVA_|NODE_)/.test(name) || ['PORT', 'HOST', 'WEB_CONCURRENCY', 'NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID'].includes(name)) delete env[name];
  }
  return env;
}

function parseRecord(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const record = JSON.parse(line) as LogRecord;
    return typeof record.event === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

function matches(record: LogRecord, match: Match): boolean {
  if (typeof match === 'function') return match(record);
  return Object.entries(match).every(([key, value]) => (value instanceof RegExp ? value.test(String(record[key])) : record[key] === value));
}

function describe(match: Match): string {
  if (typeof match === 'function') return '(matching)';
  return Object.entries(match).map(([key, value]) => `${key}=${String(value)}`).join(' ');
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
