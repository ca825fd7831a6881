/** drover as the soaks start it: with its log read as it comes, so that they can wait for what happens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ROOT } from './paths.js';

export interface Logged {
  pid: number;
  signal(signal: NodeJS.Signals): void;
  /** How many such events there have been. */
  count(event: string): number;
  /** Until there have been so many. Throws when drover exits before. */
  logged(event: string, count: number): Promise<void>;
  stop(): Promise<void>;
}

export function startLogged(args: readonly string[]): Logged {
  const child = spawn(process.execPath, [`${ROOT}dist/cli/main.cjs`, ...args, '--log-format', 'json'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const counts = new Map<string, number>();
  let last: string[] = [];
  let wake = (): void => {};
  createInterface({ input: child.stderr }).on('line', (line) => {
    last = [...last.slice(-9), line];
    const event = /"event":"([^"]+)"/.exec(line)?.[1];
    if (event !== undefined) counts.set(event, (counts.get(event) ?? 0) + 1);
    wake();
  });
  child.once('close', () => wake());
  const count = (event: string): number => counts.get(event) ?? 0;
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid!,
    signal: (signal) => void child.kill(signal),
    count,
    async logged(event, wanted) {
      while (count(event) < wanted) {
        if (over()) throw new Error(`drover exited\n${last.join('\n')}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    async stop() {
      child.kill('SIGTERM');
      if (!over()) await once(child, 'exit');
    },
  };
}
