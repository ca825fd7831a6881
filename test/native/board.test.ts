import test from 'ava';
import { FIELDS, ROW_BYTES } from '../../src/ipc/board.js';
import { native } from '../../src/native.js';

test('C++ and TypeScript agree on every field of the board', (t) => {
  const ours: Record<string, number> = { rowBytes: ROW_BYTES };
  for (const [name, [offset]] of Object.entries(FIELDS)) ours[name] = offset;
  t.deepEqual(native.boardLayout(), ours);
});
