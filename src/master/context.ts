/** What the parts of the master share: handed in once, at start (main.ts). Types only. */
import type { Listeners } from '../accept/listeners.js';
import type { HookName, Hooks, ServerInfo } from '../config/hooks.js';
import type { LoadedConfig } from '../config/load.js';
import type { Board } from '../ipc/board.js';
import type { Logger } from '../log/logger.js';
import type { Bells } from './bells.js';
import type { CompiledCode } from './compiled-code.js';
import type { Heartbeats } from './heartbeat.js';
import type { NativeConductor } from '../native.js';
import type { Reports } from './report.js';
import type { TicketKeys } from './ticket-keys.js';

/** The arguments of a hook after its first, the server. */
export type HookArgs<Name extends HookName> = Parameters<NonNullable<Hooks[Name]>> extends [unknown, ...infer Rest] ? Rest : never;

export interface Context {
  log: Logger;
  board: Board;
  boardFd: number;
  inflight: ArrayBuffer;
  inflightFd: number;
  heartbeats: Heartbeats;
  /** Runs while serving; there where a strategy in use needs it: all but `shared`. */
  conductor: NativeConductor | undefined;
  /** The workers' bells, where a strategy in use needs the conductor. */
  bells: Bells | undefined;
  listeners: Listeners;
  reports: Reports;
  ticketKeys: TicketKeys;
  compiledCode: CompiledCode;
  /** Monotonic milliseconds. */
  now: () => number;
}

/** Calls a hook of the config in force, with the server as its first argument. Never rejects. */
export type CallHook = <Name extends HookName>(name: Name, ...args: HookArgs<Name>) => Promise<void>;

/** Makes the CallHook for a server, with the hooks of the config that `loaded` answers at the time of the call. */
export type HookCaller = (server: ServerInfo, loaded: () => LoadedConfig) => CallHook;
