/**
 * Every message between master and worker. JSON texts on a SOCK_SEQPACKET channel (ipc/channel.ts), descriptors attached.
 * Types only: who handles a message is found by its `type`.
 *
 * Rank 2.
 */
import type { AcceptStrategyName } from '../config/options.js';
import type { WorkerConfig } from '../config/worker-config.js';

/** Where a listening socket is bound. */
export type BoundAddress = { family: 'IPv4' | 'IPv6'; address: string; port: number } | { family: 'unix'; path: string };

/** One listening socket handed to a worker; its descriptor is at the same index of the message's descriptors. */
export interface SocketGrant {
  /** The listener it belongs to: see `Listener.key`. */
  key: string;
  /** Index of the address within the listener (`--bind` may be given several times). */
  bind: number;
  /** Slot that owns the socket; -1 for a socket that all slots share. */
  slot: number;
  address: BoundAddress;
  /** How to accept from it. */
  strategy: Exclude<AcceptStrategyName, 'auto'>;
}

/** Slots that have sockets where no worker of theirs listens: what waits there is their siblings', unless they get another owner. Index by index. */
export interface Unattended {
  slots: number[];
  /** Row of the worker that serves the slot, elsewhere; -1: nobody. */
  owners: number[];
}

/** Where a worker's `net.Server` asks to listen; what Node has made of the arguments of listen(). */
export interface ListenQuestion {
  /** The n-th listen() of this worker, from 0: the first one takes the place of --bind. */
  ordinal: number;
  /** Whether this process has never listened before. */
  first: boolean;
  /** Literal address, or null for "any" (`::`, else `0.0.0.0`). */
  address: string | null;
  port: number;
  /** For a unix socket. */
  path: string | null;
  backlog: number;
  ipv6Only: boolean;
}

/** Blocks the worker until answered. */
export interface ListenRequest extends ListenQuestion {
  type: 'listen';
  id: number;
}

/** Why it cannot listen there: -errno for the app, words for people. */
export interface ListenRefusal {
  errno: number;
  /** `cannot listen at …: why`. */
  message: string;
  remedy?: string;
}

export type MasterMessage =
  /** First message, read synchronously before the app is loaded. fds: see `fds`, one name per descriptor. */
  | {
      type: 'init';
      slot: number;
      /** Row on the board. */
      row: number;
      generation: number;
      /** The master's pid: a worker whose master dies meanwhile has another parent. */
      master: number;
      config: WorkerConfig;
      /** Keys of TLS session tickets, as in `ticket-keys`. */
      ticketKeys: string[];
      /**
       * Names of the attached descriptors, in order. `heartbeat` is missing when there is no heartbeat file; `wake`, the worker's own bell, and `conductor`,
       * the conductor's, where no strategy in use needs them; `certificates` (JSON of `Certificates`) where drover does no TLS; `report`, a file in memory for
       * what V8 leaves behind, where `reportDir` takes its place.
       */
      fds: ('board' | 'inflight' | 'heartbeat' | 'wake' | 'conductor' | 'certificates' | 'report')[];
    }
  /** Answer to `listen`. fds: own socket of each bind (the shared one, with strategies that have one). */
  | { type: 'listening'; id: number; key: string; sockets: SocketGrant[] }
  | ({ type: 'listen-failed'; id: number } & ListenRefusal)
  /** Sockets of other slots, to accept from behind their owners. Sent when ready, and when a slot is added. */
  | { type: 'siblings'; sockets: SocketGrant[] }
  /** Of a listener; none until said. */
  | ({ type: 'unattended'; key: string } & Unattended)
  /** Bells of other workers, by row, to hand them a permit (strategies lock and semaphore). A row keeps its bell for good. */
  | { type: 'bells'; rows: number[] }
  /** A worker has died: a connection for which the kernel had woken it waits for somebody. Look at all queues. */
  | { type: 'recheck' }
  /**
   * Stop taking connections, finish what is open, exit. `close` names the listeners that nobody will serve after us: accept what
   * they have queued first ('all' when drover stops).
   */
  | { type: 'drain'; killAtMs: number; close: 'all' | string[]; reason: string }
  /** Exit now: hooks, then exit. `killAtMs`, here and above: when the worker is killed, of monotonicMs(); it may come to read this late. */
  | { type: 'quit'; killAtMs: number; reason: string }
  | { type: 'reopen-logs' }
  /** 48 bytes each, in base64. Tickets are sealed with the first, and opened with any. */
  | { type: 'ticket-keys'; keys: string[] };

/** What a worker that boots is at: `doing` for people, `loading /app/server.js`; `of`: whose doing it is, `stop` of who has stopped its process, which the master alone can tell. */
export interface BootStep {
  doing: string;
  of: 'start' | 'config' | 'app' | 'stop';
}

export type WorkerMessage =
  | ListenRequest
  /** Sent before it is begun, since it may take for ever. */
  | ({ type: 'boots' } & BootStep)
  /** The app has loaded and listens. */
  | { type: 'ready'; bootMs: number }
  /** Boot failed; the worker exits by itself right after. `code` is an ErrorCode. */
  | { type: 'boot-failed'; code: string; message: string; remedy?: string; stack?: string }
  /** An exception nobody caught; the worker is about to die of it. `agoMs`: so long ago a handler of the app's has taken it, and ends the process now; 0 where none has, or it does so at once. */
  | { type: 'fatal'; origin: 'uncaughtException' | 'unhandledRejection'; agoMs: number; message: string; stack: string }
  /** The app has closed the server it had at this listener (not: the worker drains). See Listeners.release. */
  | { type: 'closed'; key: string }
  /** This worker wants to be replaced: the successor first, then its drain. */
  | { type: 'recycle'; reason: string }
  /** This worker was told to stop by somebody else (SIGTERM to its pid) and drains already. */
  | { type: 'draining'; reason: string }
  /** Siblings' sockets or bells came without their descriptors: this process may open no more. */
  | { type: 'not-taken' }
  /** This worker drains, by whomever told, and from here on takes no connection. */
  | { type: 'left' }
  /** A record for the log: workers do not write to it themselves. */
  | { type: 'log'; event: string; fields: Record<string, unknown> };
