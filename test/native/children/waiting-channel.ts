/** A worker thread that waits for a message with its loop blocked. */
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '../../../src/native.js';

const channel = new native.Channel(workerData as number);
parentPort!.postMessage('waits');
channel.receiveSync(60_000);
