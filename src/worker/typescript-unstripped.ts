/** What to do about TypeScript on a Node that does not strip types, with nothing loaded that does. In the worker. */

export const TYPESCRIPT_REMEDY = 'Use Node 22.18 or newer, or a loader: npm install tsx, then --node-args "--import tsx".';

/** The remedy, if that is what is wrong: an ES module imported it. */
export function unstripped(error: Error): string | undefined {
  const isUnknown = (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION';
  return isUnknown && /"\.[cm]?ts"/.test(error.message) ? TYPESCRIPT_REMEDY : undefined;
}
