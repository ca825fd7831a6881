/** A worker reduced to its heartbeat: `node beating.js PERIOD_MS`. */
import { readdirSync } from 'node:fs';
import { rowOffset } from '../../../src/ipc/board.js';
import { check, native } from '../../../src/native.js';

const channel = new native.Channel(3);
const send = (message: object): void => void check('send', channel.send(JSON.stringify(message)));
const first = channel.receiveSync(60_000);
if (typeof first === 'number') process.exit(1);
check('startLoopStamp', native.startLoopStamp(check('mmap', native.mapMemory(first.fds[0]!)), rowOffset(0)));
const threads = readdirSync('/proc/self/task');
check('startHeartbeat', native.startHeartbeat(first.fds[1] ?? -1, Number(process.argv[2]), Number(process.argv[2]), 0, 0, 7));
channel.ref();
channel.start(
  (text) => {
    switch ((JSON.parse(text) as { type: string }).type) {
      case 'stats':
        send({ type: 'stats', ...native.heartbeatStats() });
        break;
      case 'block':
        send({ type: 'blocking' });
        channel.receiveSync(60_000);
        break;
      case 'leave':
        // Not process.exit(): the end of an environment with all its clean-up.
        channel.close();
        break;
    }
  },
  () => process.exit(1),
);
/** The one that beats; none without a file. */
const thread = readdirSync('/proc/self/task').find((id) => !threads.includes(id));
send({ type: 'started', thread });
