/**
 * The one writer of drover's log. In the master: workers send `log` messages and the master writes them, until it is gone (worker/orphaned.ts).
 *
 * JSON lines on stderr (or in --log-file), made readable by pino-pretty on a terminal. Every line names an event of the table in
 * events.ts, which gives its level and its sentence. Writes are synchronous (destination.ts), so that a line that was logged is out before the process
 * ends, whatever ends it. pino-pretty is loaded only where it is used: the master's memory is small and stays so.
 */
import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { counted } from '../config/plural.js';
import { DroverError, unwritable, withoutControls } from '../errors.js';
import { LogDestination } from './destination.js';
import { EVENTS, type EventName, type Level } from './events.js';

export interface LogOptions {
  /** Lines below this level are not written. */
  level: Level | 'trace' | 'silent';
  /** `auto`: pretty when the destination is a terminal, else JSON. */
  format: 'auto' | 'json' | 'pretty';
  /** Path of the log file; null or '-' for stderr. */
  file: string | null;
}

export type Fields = Record<string, unknown>;

/** What other modules are handed: they name an event and its fields. */
export interface Log {
  emit(event: EventName, fields?: Fields): void;
}

/** The sentence of an event: each `{field}` replaced by its value, `{field|one|many}` by it and its word. A field that is missing leaves nothing behind. */
export function sentence(template: string, fields: Fields): string {
  return template.replace(/\{(\w+)(?:\|([^|}]+)\|([^|}]+))?\}/g, (_, name: string, one?: string, many?: string) => {
    const value = fields[name];
    if (value === undefined || value === null) return '';
    if (one !== undefined) return counted(Number(value), one, many);
    return Array.isArray(value) ? value.join(', ') : String(value);
  });
}

/** Whether a name that came from a worker is in the table. */
export function isEventName(name: string): name is EventName {
  return Object.hasOwn(EVENTS, name);
}

export class Logger implements Log {
  readonly file: string | null;
  /** It is written for people, on their terminal. */
  readonly readable: boolean;
  readonly #pino: pino.Logger;
  readonly #destination: LogDestination;

  constructor(options: LogOptions) {
    this.file = options.file === '-' ? null : options.file;
    this.#destination = openDestination(this.file, (lines) => this.emit('log.dropped', { lines }));
    // Not process.stderr.isTTY: Node's stream would make a pipe that the app shares not block.
    const toTerminal = this.file === null && isatty(2);
    const pretty = options.format === 'pretty' || (options.format === 'auto' && toTerminal);
    this.readable = pretty && this.file === null;
    this.#pino = pino({ level: options.level, base: null }, pretty ? prettyStream(this.#destination, toTerminal) : this.#destination);
  }

  get level(): string {
    return this.#pino.level;
  }

  /** What a reload may change. */
  set level(level: string) {
    this.#pino.level = level;
  }

  emit(event: EventName, fields: Fields = {}): void {
    const row = EVENTS[event];
    if (!this.#pino.isLevelEnabled(row.level)) return;
    const record = { pid: process.pid, event, ...fields };
    this.#pino[row.level](record, sentence(row.message, record));
  }

  /** USR1: the file was moved away by logrotate; go on in a new one of the same name. The error when that can't be had: the old one stays. */
  reopen(): NodeJS.ErrnoException | undefined {
    try {
      this.#destination.reopen();
      return undefined;
    } catch (error) {
      return error as NodeJS.ErrnoException;
    }
  }
}

function openDestination(file: string | null, tellLost: (lines: number) => void): LogDestination {
  try {
    return new LogDestination(file, tellLost);
  } catch (error) {
    const { why, remedy } = unwritable(String(file), (error as NodeJS.ErrnoException).code, ', or - for stderr');
    throw new DroverError('ERR_DROVER_LOG_FILE', `--log-file ${String(file)} cannot be opened: ${why}`, remedy);
  }
}

function prettyStream(destination: LogDestination, colors: boolean): pino.DestinationStream {
  const require = createRequire(import.meta.url);
  const { prettyFactory } = require('pino-pretty') as typeof import('pino-pretty');
  const format = prettyFactory({
    colorize: colors && process.env['NO_COLOR'] === undefined,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    // The sentence already says what a person wants; what it can't hold (what to do, stacks, requests in flight and their number) is shown below it.
    include: 'level,time,remedy,stack,noStack,requests,inFlight',
    // As they are: a stack in lines, as Node prints it. Both are asked for records without them, too; undefined, which its types do not know, shows nothing.
    customPrettifiers: { remedy: (remedy: unknown) => remedy as string, stack: (stack: unknown) => (stack === undefined ? stack : `\n${String(stack)}`) as string },
  });
  // A message or a stack holds whatever text was thrown: no control characters for the terminal.
  const safe = (_key: string, value: unknown): unknown => (typeof value === 'string' ? withoutControls(value) : value);
  return { write: (line: string) => destination.write(format(JSON.parse(line, safe) as object)) };
}
