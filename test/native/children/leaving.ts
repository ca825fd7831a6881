/** Holds a polling channel, ref'd or not, and nothing else. */
import { native } from '../../../src/native.js';

const channel = new native.Channel(3);
if (process.argv[2] === 'ref') channel.ref();
channel.start(() => process.exit(5), () => process.exit(1));
channel.send(JSON.stringify({ type: 'started' }));
