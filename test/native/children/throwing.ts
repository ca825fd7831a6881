/** Throws in each callback; uncaughtException tells. */
import { native } from '../../../src/native.js';

const channel = new native.Channel(3);
channel.ref();
const seen: string[] = [];
process.on('uncaughtException', (error) => {
  seen.push(`uncaught ${error.message}`);
  if (seen.length === 4) channel.send(JSON.stringify({ type: 'seen', seen }));
});
channel.start(
  (text) => {
    const { type } = JSON.parse(text) as { type: string };
    seen.push(type);
    throw new Error(type);
  },
  () => process.exit(0),
);
