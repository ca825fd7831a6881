/**
 * The signals of the master: what each one makes drover do; docs/signals.md tells it in full. Runs in the master.
 *
 * A handler only records; the loop (master.ts) acts. USR1 here is the master's alone: in a worker Node opens its inspector on it.
 */
export type Action = 'stop' | 'quick-stop' | 'reload' | 'more' | 'fewer' | 'reopen-logs' | 'retire' | 'upgrade' | 'reap';

export const SIGNALS = {
  SIGTERM: { action: 'stop', says: 'graceful stop' },
  SIGINT: { action: 'quick-stop', says: 'quick stop' },
  SIGQUIT: { action: 'quick-stop', says: 'quick stop' },
  SIGHUP: { action: 'reload', says: 'reload' },
  SIGTTIN: { action: 'more', says: 'one worker more' },
  SIGTTOU: { action: 'fewer', says: 'one worker fewer' },
  SIGUSR1: { action: 'reopen-logs', says: 'reopen the logs' },
  SIGUSR2: { action: 'upgrade', says: 'ignored' },
  SIGWINCH: { action: 'retire', says: 'retire all workers' },
  SIGCHLD: { action: 'reap', says: 'reap' },
} as const satisfies Record<string, { action: Action; says: string }>;

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
