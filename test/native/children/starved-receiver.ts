/** Has too few descriptors left when descriptors come: exits 0 when the message comes without them, nothing was leaked, and the channel goes on. */
import { closeSync, openSync } from 'node:fs';
import { native } from '../../../src/native.js';

const channel = new native.Channel(3);
channel.ref();
const files: number[] = [];
const FREE = 3;
let cut = false;
channel.start(
  (text, fds) => {
    if (cut) process.exit(text === 'and on' ? 0 : 3);
    cut = true;
    // What did arrive has been closed again: as many descriptors can be opened as were free.
    const room: number[] = [];
    try {
      for (;;) room.push(openSync('/dev/null', 'r'));
    } catch {
      // Full again.
    }
    if (fds.length !== 0 || room.length !== FREE) process.exit(2);
  },
  () => process.exit(1),
);
try {
  for (;;) files.push(openSync('/dev/null', 'r'));
} catch {
  for (let i = 0; i < FREE; i++) closeSync(files.pop()!);
}
channel.send(JSON.stringify({ type: 'starved' }));
