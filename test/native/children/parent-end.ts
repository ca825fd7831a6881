/** A child's end of the test's channel: descriptor 3. Keeps the loop alive, as the channel by itself does not. */
import { native } from '../../../src/native.js';
import { Peer } from '../support.js';

export function parentEnd(): Peer {
  const channel = new native.Channel(3);
  channel.ref();
  return new Peer(channel, () => process.exit());
}
