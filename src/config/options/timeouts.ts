/** Rows of the table of options (../options.ts): time limits of workers. */
import { DAY_MS, type Option } from '../option.js';

export const TIMEOUTS = [
  {
    name: 'bootTimeout',
    type: 'duration',
    minMs: 100,
    maxMs: 7 * DAY_MS,
    default: 60_000,
    section: 'timeouts',
    reload: 'live',
    help: `time for a worker to become ready.
Ready means: the app has loaded and, when it is a script, listens. A worker that takes longer is killed.`,
  },
  {
    name: 'timeout',
    short: 't',
    type: 'duration',
    minMs: 1000,
    maxMs: 7 * DAY_MS,
    zero: 'off',
    default: 30_000,
    section: 'timeouts',
    reload: 'respawn',
    help: `a worker whose event loop has not turned for so long is killed; 0: off.
The log has the JavaScript stack it was stuck in. A slow request is no reason: only a blocked event loop is.`,
  },
  {
    name: 'gracefulTimeout',
    type: 'duration',
    minMs: 0,
    maxMs: 7 * DAY_MS,
    default: 30_000,
    section: 'timeouts',
    reload: 'live',
    help: `time for a worker to finish its requests when it is told to stop.
After it the worker is killed.`,
  },
] as const satisfies readonly Option[];
