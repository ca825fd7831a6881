/** Rows of the table of options (../options.ts): the app and how it is run. */
import type { Option } from '../option.js';

export const APP = [
  {
    name: 'app',
    positional: 'app',
    type: 'string',
    default: '',
    defaultSays: 'none: it has to be given',
    section: 'app',
    reload: 'respawn',
    placeholder: 'APP',
    help: `the app to serve: a path or a package, with an optional :export.
The export may be dotted, or a call: \`./app.js:create({"x":1})\`. A path is relative to the working directory (--chdir). The app may export a handler, a server, a framework's app, a promise or a factory of these, or be a script that calls listen() itself.`,
  },
  {
    name: 'appArgs',
    positional: 'rest',
    type: 'args',
    default: [],
    section: 'app',
    reload: 'respawn',
    placeholder: '-- ARG...',
    help: `arguments for the app: everything after \`--\`.
The app finds them in process.argv after its own path. On the command line they take the place of those of the config file.`,
  },
  {
    name: 'chdir',
    type: 'path',
    kind: 'directory',
    default: (context) => context.cwd,
    defaultSays: 'where drover is started',
    section: 'app',
    reload: 'respawn',
    placeholder: 'DIR',
    help: `working directory of drover and the app.
Every relative path, in a flag or in the config file, is relative to it (not to the place of the config file); only --config and --chdir themselves are relative to where drover is started. A link in it is followed anew for each worker, so that a reload follows a \`current\` link to the new release.`,
  },
  {
    name: 'env',
    short: 'e',
    type: 'envMap',
    default: {},
    section: 'app',
    reload: 'respawn',
    secret: true,
    placeholder: 'NAME=VALUE',
    help: `environment variable for the workers; may be repeated.
Added to the environment drover itself runs in. On the command line it adds to the variables of the config file.`,
  },
  {
    name: 'nodeArgs',
    type: 'args',
    default: [],
    section: 'app',
    reload: 'respawn',
    placeholder: 'ARGS',
    help: `flags for the workers' node, for instance "--max-old-space-size=300 --enable-source-maps".
One text that is split as a shell splits it; in the config file also a list. Repeated, the last one wins.`,
  },
] as const satisfies readonly Option[];
