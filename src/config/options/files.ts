/** Rows of the table of options (../options.ts): files. */
import { DAY_MS, type Option } from '../option.js';

export const FILES = [
  {
    name: 'static',
    type: 'mounts',
    default: [],
    section: 'files',
    reload: 'respawn',
    placeholder: 'PREFIX=DIR',
    help: `serve the files of a directory below a URL prefix, before the app; may be repeated.
\`--static /assets=./public\` answers \`/assets/app.css\` with \`public/app.css\`. What is not there, and names that begin with a dot, are left to the app. Nothing outside DIR is served, whatever the path or a symbolic link says. See docs/files.md.`,
  },
  {
    name: 'staticMaxAge',
    type: 'duration',
    minMs: 0,
    maxMs: 366 * DAY_MS,
    default: 0,
    section: 'files',
    reload: 'respawn',
    help: `how long a client may keep a --static file without asking again.
Sent as \`Cache-Control: public, max-age=\` in seconds. 0: a client asks each time, and gets 304 for what has not changed.`,
  },
  {
    name: 'sendfile',
    env: 'SENDFILE',
    type: 'bool',
    default: true,
    section: 'files',
    reload: 'respawn',
    help: `send files with sendfile(2); on unless --no-sendfile or SENDFILE=0 is given.
For --static, sendFile(), X-Sendfile, and files that an app pipes into a response. Off by itself under TLS and HTTP/2, and for files that cannot be sent so: these are read and written.`,
  },
  {
    name: 'sendfileRoot',
    type: 'path',
    kind: 'directory',
    default: null,
    section: 'files',
    reload: 'respawn',
    help: `directory of the files that the app may name in X-Sendfile or X-Accel-Redirect.
Without it these response headers mean nothing. A path that leads out of it, and a symbolic link, is answered with 403.`,
  },
] as const satisfies readonly Option[];
