/** The stacks of what an app throws: where in the app it was, and the text without drover's own frames. In the worker; pure. */
import { fileURLToPath, pathToFileURL } from 'node:url';

const FRAME = /^ {4}at (?:.* \(|async )?((?:file:\/\/)?\/.*?):(\d+):\d+\)?$/;
const SYNTAX_ERROR = /^(file:\/\/\/.*|\/.*):(\d+)$/;
/** dist/: modules, and the bundle of the worker. */
const OURS = new URL('../../', import.meta.url).href;
/** Node's own frames at the end of a stack: how the app's module came to be run. */
const NODE_FRAME = /^ {4}at .*\bnode:internal\//;
const MAX_CAUSES = 4;

/**
 * `file:line` that a reader wants: of a syntax error, which node puts first; else of the first frame of the app's own code, before that of
 * its packages.
 */
export function placeInApp(stack: string): string | undefined {
  const first = SYNTAX_ERROR.exec(stack.split('\n', 1)[0]!);
  if (first !== null) return `${plainPath(first[1]!)}:${first[2]}`;
  const frames = stack.split('\n').map((line) => appFrame(line)).filter((match) => match !== undefined);
  const frame = frames.find(({ path }) => !path.includes('/node_modules/')) ?? frames[0];
  return frame === undefined ? undefined : `${frame.path}:${frame.line}`;
}

function appFrame(line: string): { path: string; line: string } | undefined {
  const match = FRAME.exec(line);
  return match === null || isOurs(match[1]!) ? undefined : { path: plainPath(match[1]!), line: match[2]! };
}

/** The stack of an error and of its causes, for people. */
export function appStack(error: Error): string {
  const stacks: string[] = [];
  const seen = new Set<unknown>();
  for (let cause: unknown = error; cause instanceof Error && !seen.has(cause) && stacks.length < MAX_CAUSES; cause = cause.cause) {
    seen.add(cause);
    stacks.push(trim(stackText(cause)));
  }
  return stacks.join('\n  caused by ');
}

export function stackText(error: Error): string {
  return typeof error.stack === 'string' ? error.stack : String(error);
}

/** Without our frames; without Node's at the end, unless there is nothing else to go by. */
function trim(stack: string): string {
  const lines = stack.split('\n').filter((line) => {
    const match = FRAME.exec(line);
    return match === null || !isOurs(match[1]!);
  });
  if (placeInApp(stack) === undefined) return lines.join('\n');
  while (NODE_FRAME.test(lines.at(-1)!)) lines.pop();
  return lines.join('\n');
}

function isOurs(path: string): boolean {
  return (path.startsWith('file:') ? path : pathToFileURL(path).href).startsWith(OURS);
}

export function plainPath(path: string): string {
  return path.startsWith('file:') ? fileURLToPath(path) : path;
}
