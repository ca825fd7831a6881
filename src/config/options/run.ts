/** Rows of the table of options (../options.ts): what to do, instead of serving or before. */
import type { Option } from '../option.js';

export const RUN = [
  {
    name: 'config',
    short: 'c',
    commandLineOnly: true,
    type: 'path',
    kind: 'file',
    default: null,
    defaultSays: 'drover.config.{ts,mts,js,mjs,cjs,json} where drover is started, if there is one',
    section: 'run',
    reload: 'restart',
    help: `config file, read again on HUP.
It exports (default) an object of options and hooks, or a function, async or not, that returns one. A reload reads it anew; of what it imports, CommonJS modules outside node_modules are read anew too, ES modules are not.`,
  },
  { name: 'checkConfig', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'check the options and that the app loads, then exit.\nThe app is loaded in a worker that does not listen; the names of --bind are looked up, and it is seen whether this machine has its addresses and whether its unix sockets can be made, not whether they are in use. With --print-config, every option is printed first.' },
  { name: 'printConfig', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'print every option with its value and where that comes from, then exit.' },
  { name: 'json', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'with `drover doctor`: print what was found as JSON.' },
  { name: 'version', short: 'v', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: "print drover's version and Node's, then exit." },
  { name: 'help', short: 'h', commandLineOnly: true, type: 'bool', default: false, section: 'run', reload: 'restart', help: 'print this, then exit.' },
] as const satisfies readonly Option[];
