/** Rows of the table of options (../options.ts): logs. */
import { NAMED_FORMATS, parseLogFormat } from '../access-log-format.js';
import type { Option } from '../option.js';

export const LOG = [
  {
    name: 'logFile',
    aliases: ['error-logfile'],
    type: 'path',
    kind: 'file',
    dash: true,
    default: '-',
    section: 'log',
    reload: 'restart',
    help: `file for drover's own log; -: standard error.
Reopened on USR1. What the app writes to its standard output and error is left alone.
A line is written at once. Where a pipe or a socket (systemd's) is full, as nobody reads it, or a terminal is stopped, up to 512 KiB of lines are kept; the rest is lost, and \`log.dropped\` says how many. At its end drover waits up to 2 s for who has not read them. A pipe or a terminal that belongs to another user and a disk that hangs make drover wait: it then reloads and stops late.`,
  },
  {
    name: 'logLevel',
    type: 'enum',
    values: ['debug', 'info', 'warn', 'error', 'fatal'],
    synonyms: { warning: 'warn', critical: 'fatal' },
    default: 'info',
    section: 'log',
    reload: 'live',
    help: 'least level that is logged: debug, info, warn, error or fatal.\n`warning` and `critical` are understood as `warn` and `fatal`.',
  },
  {
    name: 'logFormat',
    type: 'enum',
    values: ['auto', 'json', 'pretty'],
    default: 'auto',
    section: 'log',
    reload: 'restart',
    help: 'json, pretty, or auto: pretty on a terminal, else json.',
  },
  {
    name: 'accessLogfile',
    aliases: ['access-log-file'],
    type: 'path',
    kind: 'file',
    dash: true,
    default: null,
    section: 'log',
    reload: 'respawn',
    help: `file for the access log, a line per request; -: standard output.
Opened for appending by every worker, made if it is not there, and opened anew on USR1. Lines are gathered and written every 100 ms or 32 KiB. See docs/access-log.md.`,
  },
  {
    name: 'accessLogFormat',
    aliases: ['access-logformat'],
    type: 'string',
    check: checkLogFormat,
    default: 'combined',
    section: 'log',
    reload: 'respawn',
    placeholder: 'FORMAT',
    help: `combined, common, json, or a text with Gunicorn's atoms, as in "%(h)s %(s)s %(D)s".
\`combined\` is \`${NAMED_FORMATS.combined}\`, \`common\` the same without referer and user agent, \`json\` an object per line. The atoms and the fields are in docs/access-log.md.`,
  },
] as const satisfies readonly Option[];

function checkLogFormat(text: string): { what: string; remedy: string; piece: string } | undefined {
  const parsed = text === 'json' ? [] : parseLogFormat(text);
  return Array.isArray(parsed) ? undefined : parsed;
}
