import test from 'ava';
import { constants } from 'node:os';
import type { MasterMessage } from '../../src/ipc/messages.js';
import { Asker } from '../../src/worker/ask.js';
import type { MasterChannel } from '../../src/worker/last-words.js';

test('what came while listen() waited is handled one turn later, and before what comes after it', async (t) => {
  const first: MasterMessage = { type: 'unattended', key: 'bind', slots: [1], owners: [-1] };
  const second: MasterMessage = { type: 'unattended', key: 'bind', slots: [], owners: [] };
  const answers: MasterMessage[] = [first, { type: 'listening', id: 0, key: 'bind', sockets: [] }];
  const handled: MasterMessage[] = [];
  const channel = { send: () => 0, receiveSync: () => ({ message: answers.shift()!, fds: [] }) } as unknown as MasterChannel;
  const asker = new Asker({ channel, onMessage: (message) => handled.push(message), onQuit: () => t.fail(), onMasterGone: () => t.fail() });
  const question = { ordinal: 0, first: true, address: null, port: 0, path: null, backlog: 0, ipv6Only: false };
  t.deepEqual(asker.ask(question), { key: 'bind', sockets: [] });
  t.deepEqual(handled, []);
  asker.receive(second, []);
  t.deepEqual(handled, [first, second]);

  answers.push(first, { type: 'listening', id: 1, key: 'bind', sockets: [] });
  asker.ask(question);
  await new Promise(setImmediate);
  t.deepEqual(handled, [first, second, first]);
});

test('a master that is gone while listen() waits is told first, and then the app', (t) => {
  const channel = { send: () => 0, receiveSync: () => 'closed' } as unknown as MasterChannel;
  let told = 0;
  const asker = new Asker({ channel, onMessage: () => t.fail(), onQuit: () => t.fail(), onMasterGone: () => told++ });
  t.like(asker.ask({ ordinal: 0, first: true, address: null, port: 0, path: null, backlog: 0, ipv6Only: false }), { errno: -constants.errno.EPIPE });
  t.is(told, 1);
});
