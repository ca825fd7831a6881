/** Rows of the table of options (../options.ts): the master process. */
import type { Option } from '../option.js';

export const PROCESS = [
  {
    name: 'name',
    short: 'n',
    type: 'string',
    default: (context) => context.app,
    defaultSays: 'the app as given',
    section: 'process',
    reload: 'restart',
    help: `name in the process titles: \`drover: master [NAME]\`.
Tells several drovers on one machine apart.`,
  },
  {
    name: 'pidfile',
    short: 'p',
    aliases: ['pid'],
    type: 'path',
    kind: 'file',
    default: null,
    section: 'process',
    reload: 'restart',
    help: `file to write the master's process id to.
Refused when it names a process that is running, of drover or not, unless that began after the file was written and is no master of drover: then it is stale, and replaced. A file that holds anything else than a process id is refused as well. Every user may read it, whatever the umask.`,
  },
] as const satisfies readonly Option[];
