/** Rows of the table of options (../options.ts): what a request may be. */
import { DAY_MS, type Option } from '../option.js';

export const LIMITS = [
  {
    name: 'limitRequestLine',
    type: 'int',
    min: 0,
    max: 1_048_576,
    default: 4094,
    section: 'limits',
    reload: 'respawn',
    help: `bytes a request line may have; 0: no limit of its own.
Without its line end. A longer one is answered with 414. The whole head of a request is bounded too: by --max-http-header-size of Node (16 KiB), or what this limit and four fields of --limit-request-field-size come to, if that is more; an app's own maxHeaderSize stays.`,
  },
  {
    name: 'limitRequestFields',
    type: 'int',
    min: 0,
    max: 32_768,
    default: 100,
    section: 'limits',
    reload: 'respawn',
    help: `header fields a request may have; 0: no limit of its own.
One with more is answered with 431. Node alone drops what is too many (over 1000) and says nothing.`,
  },
  {
    name: 'limitRequestFieldSize',
    aliases: ['limit-request-field_size'],
    type: 'int',
    min: 0,
    max: 1_048_576,
    default: 8190,
    section: 'limits',
    reload: 'respawn',
    help: `bytes a header field may have, with its line end; 0: no limit of its own.
Name, colon, blank, value and line end. A larger one is answered with 431.`,
  },
  {
    name: 'limitRequestBody',
    type: 'bytes',
    max: 2 ** 50,
    default: 0,
    section: 'limits',
    reload: 'respawn',
    help: `bytes the body of a request may have; 0: no limit.
A larger one is answered with 413: before any of it is read, and before \`100 Continue\`, where Content-Length tells its size; else as soon as it has grown too large, if no response has begun, and if one has the connection ends.`,
  },
  {
    name: 'headerTimeout',
    type: 'duration',
    minMs: 100,
    maxMs: DAY_MS,
    zero: 'off',
    words: { app: -1 },
    default: -1,
    section: 'limits',
    reload: 'respawn',
    help: `time for the head of a request to arrive; app: what the app sets, else Node's 60 s.
A client that takes longer, also one that sends nothing on a new connection, is answered with 408. Given, it takes the place of the app's own \`headersTimeout\`.`,
  },
  {
    name: 'requestTimeout',
    type: 'duration',
    minMs: 100,
    maxMs: 7 * DAY_MS,
    zero: 'off',
    words: { app: -1 },
    default: -1,
    section: 'limits',
    reload: 'respawn',
    help: `time for a whole request, head and body, to arrive; app: what the app sets, else Node's 300 s.
A client that takes longer is answered with 408, if no response has begun. Given, it takes the place of the app's own \`requestTimeout\`. A head has no longer either.`,
  },
  {
    name: 'keepAlive',
    type: 'duration',
    minMs: 100,
    maxMs: 7 * DAY_MS,
    zero: 'none: every response closes its connection',
    words: { app: -1 },
    default: -1,
    section: 'limits',
    reload: 'respawn',
    help: `how long a connection is kept open without a request; app: what the app sets, else Node's (5 s).
Given, it takes the place of the app's own \`keepAliveTimeout\`. Node adds a second to it (since Node 22.19).`,
  },
  {
    name: 'writeTimeout',
    type: 'duration',
    minMs: 1000,
    maxMs: DAY_MS,
    zero: 'off',
    default: 60_000,
    section: 'limits',
    reload: 'respawn',
    help: `a client that takes none of what is to be sent to it for so long is disconnected; 0: off.
Looked at a few times in that time, so it may take a quarter longer. A slow client that takes a little now and then is left alone, and so is one that has nothing to wait for.
Of HTTP/2, a stream whose client reads the connection but opens no window for anything is reset.`,
  },
] as const satisfies readonly Option[];
