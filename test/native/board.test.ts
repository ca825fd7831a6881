import test from 'ava';
import { BOARD_BYTES, FIELDS, HEADER_FIELDS, ROW_BYTES, SLOT_BYTES, SLOT_FIELDS, SLOTS_OFFSET } from '../../src/ipc/board.js';
import { native } from '../../src/native.js';

function offsets(fields: Record<string, readonly [number, ...unknown[]]>): Record<string, number> {
  return Object.fromEntries(Object.entries(fields).map(([name, [offset]]) => [name, offset]));
}

test('C++ and TypeScript agree on every field of the board', (t) => {
  t.deepEqual(native.boardLayout(), {
    row: offsets(FIELDS),
    header: offsets(HEADER_FIELDS),
    slot: offsets(SLOT_FIELDS),
    bytes: { row: ROW_BYTES, slot: SLOT_BYTES, slots: SLOTS_OFFSET, board: BOARD_BYTES },
  });
});
