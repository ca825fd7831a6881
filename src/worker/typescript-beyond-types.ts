/** What to do about TypeScript that is more than types on JavaScript, which is all that Node runs of it. In the worker. */

const DECORATOR = 'Invalid or unexpected token';

/** The remedy, if that is what is wrong. `file`: the app's main file. Enums and their like have a code; decorators are left in place, and V8 does not know them. */
export function beyondTypes(error: Error, file: string | undefined): string | undefined {
  const isUnsupported = (error as NodeJS.ErrnoException).code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX';
  const isDecorator = error instanceof SyntaxError && error.message === DECORATOR && /\.[cm]?ts$/.test(file ?? '');
  if (!isUnsupported && !isDecorator) return undefined;
  return 'Of TypeScript Node strips the types, and does nothing else: decorators, enums, namespaces with code and parameter properties need a compiler, or a loader: npm install tsx, then --node-args "--import tsx".';
}
