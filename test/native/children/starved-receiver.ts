/** Has no descriptor left when descriptors come: exits 0 when the channel says EMFILE and nothing was leaked. */
import { closeSync, openSync } from 'node:fs';
import { native } from '../../../src/native.js';

const channel = new native.Channel(3);
channel.ref();
const files: number[] = [];
channel.start(
  () => process.exit(1),
  (errno) => {
    // What did arrive has been closed again: as many descriptors can be opened as were free.
    const room: number[] = [];
    const open = (): void => {
      for (;;) room.push(openSync('/dev/null', 'r'));
    };
    try {
      open();
    } catch {
      // Full again.
    }
    // Three were free, and the channel's own is closed now.
    process.exit(errno === -24 && room.length === 4 ? 0 : 2);
  },
);
try {
  for (;;) files.push(openSync('/dev/null', 'r'));
} catch {
  for (let i = 0; i < 3; i++) closeSync(files.pop()!);
}
channel.send(JSON.stringify({ type: 'starved' }));
