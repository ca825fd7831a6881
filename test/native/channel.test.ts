import { closeSync, fstatSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { MAX_MESSAGE_BYTES, check, closeFd, native } from '../../src/native.js';
import type { NativeChannel } from '../../src/native.js';
import { EBADF, EINVAL, EPIPE, collected, flags, startChild, until } from './support.js';

function pair(t: ExecutionContext): [NativeChannel, NativeChannel] {
  const [one, other] = check('socketpair', native.socketPair());
  const channels: [NativeChannel, NativeChannel] = [new native.Channel(one), new native.Channel(other)];
  t.teardown(() => channels.forEach((channel) => channel.close()));
  return channels;
}

/** Collects what a channel receives. */
function collect(channel: NativeChannel): { texts: string[]; fds: number[][]; closed: number[] } {
  const seen = { texts: [] as string[], fds: [] as number[][], closed: [] as number[] };
  channel.start(
    (text, fds) => {
      seen.texts.push(text);
      seen.fds.push(fds);
    },
    (errno) => seen.closed.push(errno),
  );
  return seen;
}

test('socketPair: closed on exec and non-blocking', (t) => {
  for (const fd of check('socketpair', native.socketPair())) {
    t.deepEqual(flags(fd), { nonBlocking: true, closeOnExec: true });
    closeFd(fd);
  }
});

test('messages keep their borders, their order and their characters', async (t) => {
  const [one, other] = pair(t);
  const seen = collect(other);
  for (const text of ['first', 'zwölf ☕ 🐑', 'third']) t.is(one.send(text), 0);
  await until(() => seen.texts.length === 3);
  t.deepEqual(seen.texts, ['first', 'zwölf ☕ 🐑', 'third']);
});

test('the largest message goes through; one byte more, and an empty one, are refused', async (t) => {
  const [one, other] = pair(t);
  const seen = collect(other);
  const largest = 'é'.repeat(MAX_MESSAGE_BYTES / 2);
  t.is(one.send(largest), 0);
  t.is(getSystemErrorName(one.send(`${largest}x`)), 'EMSGSIZE');
  t.is(one.send(''), EINVAL);
  await until(() => seen.texts.length === 1);
  t.true(seen.texts[0] === largest);
});

test('order is kept while the socket is full, and the queue has an end', async (t) => {
  const [one, other] = pair(t);
  const body = 'x'.repeat(60_000);
  let sent = 0;
  let refused = one.send(`${sent} ${body}`);
  while (refused === 0) refused = one.send(`${++sent} ${body}`);
  t.is(getSystemErrorName(refused), 'ENOBUFS');
  t.true(sent > 1024, `${sent}: the socket's own buffer and 1,024 more`);
  const seen = collect(other);
  await until(() => seen.texts.length === sent);
  t.true(seen.texts.every((text, i) => text.startsWith(`${i} `)));
  t.is(one.send('after'), 0);
  await until(() => seen.texts.at(-1) === 'after');
});

test('descriptors arrive, closed on exec, and the sender may close its own while they wait', async (t) => {
  const [one, other] = pair(t);
  const filler = 'x'.repeat(MAX_MESSAGE_BYTES);
  // Fill the socket, so that the descriptor has to wait in the queue.
  for (let i = 0; i < 8; i++) t.is(one.send(filler), 0);
  const file = openSync('/dev/null', 'r');
  const { rdev } = fstatSync(file);
  t.is(one.send('file', [file]), 0);
  closeSync(file);
  const seen = collect(other);
  await until(() => seen.texts.at(-1) === 'file');
  const [received] = seen.fds.at(-1)!;
  t.is(fstatSync(received!).rdev, rdev);
  t.true(flags(received!).closeOnExec);
  closeFd(received!);
});

test('250 descriptors in one message; 254 are refused, and so is a bad one', async (t) => {
  const [one, other] = pair(t);
  const seen = collect(other);
  const files = Array.from({ length: 250 }, () => openSync('/dev/null', 'r'));
  t.teardown(() => files.forEach((fd) => closeSync(fd)));
  t.is(one.send('many', files), 0);
  await until(() => seen.texts.length === 1);
  t.is(seen.fds[0]!.length, 250);
  seen.fds[0]!.forEach(closeFd);
  t.is(one.send('too many', [...files, ...files.slice(0, 4)]), EINVAL);
  t.is(one.send('bad', [-1]), EBADF);
  t.is(one.send('wrong', ['1'] as unknown as number[]), EINVAL);
});

test('the peer goes: its last words first, then onClose(0), once', async (t) => {
  const [one, other] = pair(t);
  const seen = collect(other);
  one.send('last words');
  one.close();
  one.close();
  await until(() => seen.closed.length > 0);
  t.deepEqual(seen.texts, ['last words']);
  t.deepEqual(seen.closed, [0]);
  t.is(other.send('hello?'), EBADF, 'closed by itself');
  t.is(one.send('me?'), EBADF);
});

test('the peer dies with messages of ours unread: its last words are not lost to ECONNRESET', async (t) => {
  const [one, other] = pair(t);
  t.is(other.send('never read'), 0);
  t.is(one.send('fatal: why I died'), 0);
  one.close();
  const seen = collect(other);
  await until(() => seen.closed.length > 0);
  t.deepEqual(seen.texts, ['fatal: why I died']);
  t.deepEqual(seen.closed, [0]);
});

test('sending to a peer that is gone is EPIPE, and its last words are still read', async (t) => {
  const [one, other] = pair(t);
  one.send('last words');
  one.close();
  t.is(other.send('too late'), EPIPE);
  t.is(other.send('too late'), EPIPE);
  const seen = collect(other);
  await until(() => seen.closed.length > 0);
  t.deepEqual(seen.texts, ['last words']);
});

test('messages waiting for a peer that dies do not spin or throw', async (t) => {
  const [one, other] = pair(t);
  for (let i = 0; i < 20; i++) t.is(one.send('x'.repeat(MAX_MESSAGE_BYTES)), 0);
  const seen = collect(one);
  other.close();
  await until(() => seen.closed.length > 0);
  t.deepEqual(seen.closed, [0]);
});

test('close within the callback: nothing is called after it', async (t) => {
  const [one, other] = pair(t);
  const seen: string[] = [];
  other.start(
    (text) => {
      seen.push(text);
      other.close();
    },
    () => seen.push('closed'),
  );
  one.send('a');
  one.send('b');
  await until(() => seen.length > 0);
  await new Promise(setImmediate);
  t.deepEqual(seen, ['a']);
  t.is(one.send('c'), EPIPE);
});

test('ticks run after each message', async (t) => {
  const [one, other] = pair(t);
  const order: string[] = [];
  other.start(
    (text) => {
      order.push(text);
      process.nextTick(() => order.push(`tick ${text}`));
      void Promise.resolve().then(() => order.push(`promise ${text}`));
    },
    () => {},
  );
  one.send('a');
  one.send('b');
  await until(() => order.length === 6);
  t.deepEqual(order, ['a', 'tick a', 'promise a', 'b', 'tick b', 'promise b']);
});

test('receiveSync: a message with descriptors, a time-out, the end', (t) => {
  const [one, other] = pair(t);
  t.is(other.receiveSync(0), 0);
  t.is(other.receiveSync(5), 0);
  const file = openSync('/dev/null', 'r');
  t.teardown(() => closeSync(file));
  one.send('hello', [file]);
  const got = other.receiveSync(60_000);
  if (typeof got === 'number') return t.fail(`errno ${got}`);
  t.is(got.text, 'hello');
  t.is(got.fds.length, 1);
  closeFd(got.fds[0]!);
  one.close();
  t.is(other.receiveSync(60_000), EPIPE);
  other.close();
  t.is(other.receiveSync(0), EBADF);
});

test('receiveSync takes its turn among messages that onMessage gets', async (t) => {
  const [one, other] = pair(t);
  const seen: string[] = [];
  other.start(
    (text) => {
      seen.push(text);
      if (text !== 'question') return;
      const answer = other.receiveSync(60_000);
      seen.push(typeof answer === 'number' ? String(answer) : `sync ${answer.text}`);
    },
    () => {},
  );
  one.send('question');
  one.send('answer');
  one.send('later');
  await until(() => seen.length === 3);
  t.deepEqual(seen, ['question', 'sync answer', 'later']);
});

test('receiveSync first sends what waits: the answer may be to that', (t) => {
  const child = startChild(t, 'answering');
  const { channel } = child;
  // More than the socket holds, so that the question has to wait in the queue of a loop that does not turn.
  for (let i = 0; i < 20; i++) t.is(channel.send(JSON.stringify({ type: 'filler', body: 'x'.repeat(100_000) })), 0);
  t.is(channel.send(JSON.stringify({ type: 'question' })), 0);
  const got = channel.receiveSync(60_000);
  t.deepEqual(typeof got === 'number' ? got : JSON.parse(got.text), { type: 'answer', before: 20 });
});

test('sendSync: at once, in order behind what waits, or a time-out', async (t) => {
  const [one, other] = pair(t);
  t.is(one.sendSync('first', 0), 0);
  const filler = 'x'.repeat(MAX_MESSAGE_BYTES);
  for (let i = 0; i < 8; i++) t.is(one.send(filler), 0);
  t.is(getSystemErrorName(one.sendSync('no room', 1)), 'ETIMEDOUT');
  const seen = collect(other);
  await until(() => seen.texts.length === 9);
  t.is(one.sendSync('last', 0), 0);
  await until(() => seen.texts.length === 10);
  t.is(seen.texts[0], 'first');
  t.is(seen.texts[9], 'last');
  other.close();
  t.is(one.sendSync('gone', 60_000), EPIPE);
});

test('what is no SOCK_SEQPACKET socket makes a closed channel, and stays the caller\'s', (t) => {
  const file = openSync('/dev/null', 'r');
  const channel = new native.Channel(file);
  t.is(channel.send('x'), EBADF);
  t.is(channel.start(() => {}, () => {}), EBADF);
  t.notThrows(() => closeSync(file));
  t.is(new native.Channel('3' as unknown as number).send('x'), EBADF);
  const [one] = pair(t);
  t.is(one.start(1 as never, 2 as never), EINVAL);
  t.is(one.start(() => {}, () => {}), 0);
  t.is(getSystemErrorName(one.start(() => {}, () => {})), 'EALREADY');
});

test('a channel nobody keeps is closed by the garbage collector, one that polls is not', async (t) => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const [one, other] = check('socketpair', native.socketPair());
  const [kept, keptOther] = check('socketpair', native.socketPair());
  const seen = collect(new native.Channel(one));
  let messages = 0;
  (() => {
    void new native.Channel(other);
    new native.Channel(kept).start(() => messages++, () => {});
  })();
  await until(() => {
    gc();
    return seen.closed.length === 1;
  });
  const sender = new native.Channel(keptOther);
  t.teardown(() => sender.close());
  sender.send('still there?');
  await until(() => messages === 1);
  t.is(messages, 1);
});

test('closed, by us or by the peer, it lets go of its callbacks, and so of whoever holds it', async (t) => {
  const hold = (fd: number): { channel: NativeChannel } => {
    const holder = { channel: new native.Channel(fd) };
    holder.channel.start(() => void holder, () => void holder);
    return holder;
  };
  const [one, other] = check('socketpair', native.socketPair());
  await collected(() => {
    const holder = hold(one);
    holder.channel.close();
    return holder;
  });
  closeFd(other);
  const [left, gone] = check('socketpair', native.socketPair());
  closeFd(gone);
  await collected(() => hold(left));
  t.pass();
});

test('a message whose descriptors this process cannot take comes without them, none leaks, and the channel goes on', async (t) => {
  const child = startChild(t, 'starved-receiver', { before: 'ulimit -n 64' });
  await child.next('starved');
  const files = Array.from({ length: 20 }, () => openSync('/dev/null', 'r'));
  t.teardown(() => files.forEach((fd) => closeSync(fd)));
  child.send({ type: 'files' }, files);
  t.is(child.channel.send('and on'), 0);
  t.is(await child.exit, 0, 'the child has checked what came and its descriptors');
});

test('a callback that throws goes to uncaughtException, and later messages still come', async (t) => {
  const child = startChild(t, 'throwing');
  child.send({ type: 'a' });
  child.send({ type: 'b' });
  t.deepEqual((await child.next('seen')).message['seen'], ['a', 'uncaught a', 'b', 'uncaught b']);
});

test('an unref\'d channel does not keep the process alive; a ref\'d one does', async (t) => {
  const idle = startChild(t, 'leaving', { args: ['unref'] });
  t.is(await idle.exit, 0);
  const kept = startChild(t, 'leaving', { args: ['ref'] });
  await kept.next('started');
  kept.send({ type: 'leave' });
  t.is(await kept.exit, 5, 'it lived to read the message');
});
