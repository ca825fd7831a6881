/** What to do about TypeScript that is more than types on JavaScript, which is all that Node runs of it. In the worker. */

const DECORATOR = 'Invalid or unexpected token';

/** The remedy, if that is what is wrong. `text` begins with the place, the line and the caret. Enums and their like have a code; decorators are left in place, and V8 does not know them. */
export function beyondTypes(error: Error, text: string): string | undefined {
  const isUnsupported = (error as NodeJS.ErrnoException).code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX';
  const [, line = '', blanks = ''] = /^.*\.[cm]?ts:\d+\n(.*)\n([ \t]*)\^/.exec(text) ?? [];
  const isDecorator = error instanceof SyntaxError && error.message === DECORATOR && line[blanks.length] === '@';
  if (!isUnsupported && !isDecorator) return undefined;
  return 'Of TypeScript Node strips the types, and does nothing else: decorators, enums, namespaces with code and parameter properties need a compiler, or a loader: npm install tsx, then --node-args "--import tsx".';
}
