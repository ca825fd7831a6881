import test from 'ava';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { Channel } from '../../src/ipc/channel.js';
import { native } from '../../src/native.js';

type Message = { type: 'a'; n: number } | { type: 'b' };

function pair(): [Channel<Message, Message>, Channel<Message, Message>, number, number] {
  const fds = native.socketPair();
  if (typeof fds === 'number') throw new Error(`socketPair: ${fds}`);
  return [new Channel(fds[0], ['a', 'b']), new Channel(fds[1], ['a', 'b']), ...fds];
}

/** Everything one end is told, until the other is gone. */
function record(channel: Channel<Message, Message>): Promise<{ messages: Message[]; fds: number[]; nonsense: string[]; errno: number }> {
  const seen = { messages: [] as Message[], fds: [] as number[], nonsense: [] as string[], errno: NaN };
  channel.ref();
  return new Promise((resolve) => {
    channel.start({
      onMessage: (message, fds) => {
        seen.messages.push(message);
        seen.fds.push(...fds);
      },
      onNonsense: (why) => seen.nonsense.push(why),
      onClose: (errno) => resolve({ ...seen, errno }),
    });
  });
}

test('messages arrive in order, then the end', async (t) => {
  const [left, right] = pair();
  const done = record(right);
  for (let n = 0; n < 300; n += 1) t.is(left.send({ type: 'a', n }), 0);
  left.close();
  const { messages, errno } = await done;
  t.deepEqual(messages.map((message) => (message.type === 'a' ? message.n : -1)), Array.from({ length: 300 }, (_, n) => n));
  t.is(errno, 0);
  t.false(right.open);
  right.close();
});

test('descriptors travel along, and the sender keeps its own', async (t) => {
  const [left, right] = pair();
  const done = record(right);
  const fd = openSync('/dev/null', 'r');
  left.send({ type: 'b' }, [fd]);
  left.close();
  const { fds } = await done;
  t.is(fds.length, 1);
  t.is(fstatSync(fds[0]!).rdev, fstatSync(fd).rdev);
  closeSync(fds[0]!);
  closeSync(fd);
  right.close();
});

test('nonsense is told, with the good messages around it', async (t) => {
  const fds = native.socketPair();
  if (typeof fds === 'number') throw new Error('socketPair');
  const raw = new native.Channel(fds[0]);
  const right = new Channel<Message, Message>(fds[1], ['a', 'b']);
  const done = record(right);
  for (const text of ['{"type":"b"}', 'no json', '[]', 'null', '"b"', '{"type":"zzz"}', '{"type":7}', '{"type":"toString"}', '{"type":"b"}']) raw.send(text);
  raw.close();
  const { messages, nonsense } = await done;
  t.is(messages.length, 2);
  t.is(nonsense.length, 7);
  t.regex(nonsense[0]!, /no JSON/);
  t.regex(nonsense[4]!, /unknown type "zzz"/);
  right.close();
});

test('receiveSync waits for one message; later ones are not lost', (t) => {
  const [left, right] = pair();
  left.send({ type: 'a', n: 1 });
  left.send({ type: 'a', n: 2 });
  t.like(right.receiveSync(5000), { message: { type: 'a', n: 1 } });
  t.like(right.receiveSync(5000), { message: { type: 'a', n: 2 } });
  t.is(right.receiveSync(1), 'timeout');
  left.close();
  t.is(right.receiveSync(5000), 'closed');
  right.close();
});

test('the last words of a process arrive', async (t) => {
  const [left, right] = pair();
  const done = record(right);
  t.is(left.sendSync({ type: 'a', n: 9 }, 1000), 0);
  left.close();
  t.deepEqual((await done).messages, [{ type: 'a', n: 9 }]);
  right.close();
});

test('sending to a peer that is gone, or on a closed channel, is -EPIPE', (t) => {
  const [left, right] = pair();
  right.close();
  t.is(left.send({ type: 'b' }), -32);
  left.close();
  t.is(left.send({ type: 'b' }), -32);
  t.is(left.sendSync({ type: 'b' }, 10), -32);
  t.is(left.receiveSync(10), 'closed');
  t.notThrows(() => left.close());
});
