/**
 * The status that whoever took an upgrade answers with, read off the first bytes written to its socket: there is no response object to ask. In the worker.
 */
import type { Duplex } from 'node:stream';

type Method = (this: Duplex, ...args: unknown[]) => unknown;

/** `tell` is called once: with the status, or with 0 when the socket closes before there is one. */
export function watchFirstAnswer(socket: Duplex, tell: (status: number) => void): void {
  const own = socket as unknown as Record<'write' | 'end', Method>;
  let told = false;
  const once = (status: number): void => {
    if (told) return;
    told = true;
    for (const [name, ours] of wrappers) if (own[name] === ours) delete (own as Partial<typeof own>)[name];
    tell(status);
  };
  const wrappers = (['write', 'end'] as const).map((name) => {
    const inherited = own[name];
    const ours: Method = function (...args) {
      once(statusOf(args[0]));
      return inherited.apply(this, args);
    };
    own[name] = ours;
    return [name, ours] as const;
  });
  socket.once('close', () => once(0));
}

function statusOf(chunk: unknown): number {
  const text = typeof chunk === 'string' ? chunk : chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.byteLength, 16)).toString('latin1') : '';
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
}
