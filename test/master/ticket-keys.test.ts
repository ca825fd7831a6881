import test from 'ava';
import { TicketKeys } from '../../src/master/ticket-keys.js';

test('a key is known a period before it seals, and opens a period after', (t) => {
  const ticketKeys = new TicketKeys();
  const [first, second, none] = ticketKeys.keys;
  t.is(none, undefined);
  ticketKeys.rotate();
  const [sealing, next, previous] = ticketKeys.keys;
  t.is(sealing, second);
  t.is(previous, first);
  t.false([first, second].includes(next));
  ticketKeys.rotate();
  t.is(ticketKeys.keys[0], next);
  t.false(ticketKeys.keys.includes(first!));
});

test('keys are 48 random bytes', (t) => {
  const { keys } = new TicketKeys();
  for (const key of keys) t.is(Buffer.from(key, 'base64').length, 48);
  t.is(new Set([...keys, ...new TicketKeys().keys]).size, 4);
});
