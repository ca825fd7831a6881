/**
 * Standard output and error whose reader is gone: a terminal that was closed (EIO), a pipe whose other end has ended (EPIPE). Node's streams throw such an error
 * where nobody listens for it; a server does not stop for its log. In the master and in workers.
 *
 * Rank 2.
 */
const LOST: ReadonlySet<string | undefined> = new Set(['EIO', 'EPIPE']);

/** The streams are made when somebody first asks for them, which costs time: so the listener waits for that as well. */
export function bearLostReaders(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const { get, ...property } = Object.getOwnPropertyDescriptor(process, name)!;
    // Somebody who was loaded before us has put something else in its place, and answers for it.
    if (get === undefined || property.configurable !== true) continue;
    let stream: NodeJS.WriteStream | undefined;
    Object.defineProperty(process, name, {
      ...property,
      get: () => (stream ??= listening(get.call(process) as NodeJS.WriteStream)),
    });
  }
}

function listening(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    if (!LOST.has(error.code) && stream.listenerCount('error') === 1) throw error;
  });
}
