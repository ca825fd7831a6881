/**
 * The signals of the master: what each one makes drover do. One table, rendered into docs/signals.md. Runs in the master.
 *
 * A handler only records; the loop (master.ts) acts. USR1 here is the master's alone: in a worker Node opens its inspector on it.
 */
export type Action = 'stop' | 'quick-stop' | 'reload' | 'more' | 'fewer' | 'reopen-logs' | 'retire' | 'upgrade' | 'reap';

export const SIGNALS = {
  SIGTERM: { action: 'stop', says: 'graceful stop', help: 'Graceful stop: no new connections, what is open is finished within --graceful-timeout. A second TERM, or INT, makes it quick; a TERM within 250 ms of the first is that, sent twice by who started drover.' },
  SIGINT: { action: 'quick-stop', says: 'quick stop', help: 'Quick stop: workers run their workerInt hook and exit; who has not within 2 s is killed.' },
  SIGQUIT: { action: 'quick-stop', says: 'quick stop', help: 'Quick stop, as INT.' },
  SIGHUP: { action: 'reload', says: 'reload', help: 'Reload: reads the config again and replaces every worker, each by a successor that is ready first. When the config is wrong or a successor cannot boot, the workers that have not been replaced by then serve on. From a terminal that is closed it is a graceful stop.' },
  SIGTTIN: { action: 'more', says: 'one worker more', help: 'One worker more. Kept over a reload, unless --workers itself has changed. After WINCH: brings all workers back, where Gunicorn starts one.' },
  SIGTTOU: { action: 'fewer', says: 'one worker fewer', help: 'One worker fewer, but never none. Kept over a reload, unless --workers itself has changed.' },
  SIGUSR1: { action: 'reopen-logs', says: 'reopen the logs', help: 'Reopens the log file and the access log, for logrotate.' },
  SIGUSR2: { action: 'upgrade', says: 'ignored', help: 'Nothing: drover is not upgraded in place, as Gunicorn and nginx are. The log says what to do instead (master.no-upgrade).' },
  SIGWINCH: { action: 'retire', says: 'retire all workers', help: 'Retires all workers gracefully and keeps the sockets: connections wait in their queues. HUP or TTIN brings the workers back. Ignored while drover is on a terminal, which sends it when its window changes.' },
  SIGCHLD: { action: 'reap', says: 'reap', help: 'Reaps processes that drover has adopted, as PID 1 does.' },
} as const satisfies Record<string, { action: Action; says: string; help: string }>;

export type SignalName = keyof typeof SIGNALS;

/** Record signals from now on; answers what stops it. */
export function watchSignals(record: (signal: SignalName) => void): () => void {
  const handlers = (Object.keys(SIGNALS) as SignalName[]).map((signal) => {
    const handler = (): void => record(signal);
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
