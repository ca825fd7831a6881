/** What can happen to the master: the events of its loop (master.ts). Types only. */
import type { GrantResult } from '../accept/listeners.js';
import type { LoadedConfig } from '../config/load.js';
import type { WorkerMessage } from '../ipc/messages.js';
import type { Heartbeat } from './heartbeat.js';
import type { Exit } from './reaper.js';
import type { SignalName } from './signals.js';
import type { Stack } from './stack.js';
import type { WorkerHandle } from './worker-handle.js';

export type MasterEvent =
  | { type: 'tick' }
  | { type: 'signal'; signal: SignalName }
  | { type: 'message'; worker: WorkerHandle; message: WorkerMessage }
  | { type: 'nonsense'; worker: WorkerHandle; why: string }
  | { type: 'exit'; worker: WorkerHandle; exit: Exit }
  /** A worker may be spawned: its hook has run, its heartbeat file is open. */
  | { type: 'prepared'; worker: WorkerHandle; heartbeat: Heartbeat | undefined }
  /** The sockets a worker asked for are open, or cannot be. */
  | { type: 'granted'; worker: WorkerHandle; id: number; result: GrantResult }
  | { type: 'stack'; worker: WorkerHandle; stuckMs: number; stack: Stack }
  /** The keys of TLS session tickets are to change. */
  | { type: 'rotate-tickets' }
  /** HUP: the config has been read again. */
  | { type: 'config'; config: LoadedConfig | Error }
  /** The onReload hook is done. */
  | { type: 'roll' };
