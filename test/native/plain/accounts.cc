// The sums on the board are set right, and not while they may be right.
#include "accounts.h"

#include "check.h"

using namespace drover;

void testAccounts() {
  TestBoard board;
  board.ready(3);
  Accounts accounts(board.master());
  // Descriptors that are no listening sockets: no queue is known.
  accounts.add(0, -1);
  accounts.add(1, -1);
  SlotBoard& slot = board.master().slot(0);
  uint64_t now = 1000 * kMs;
  CHECK(accounts.onTick(now, false) == 0);

  // More selected than accepted: for a second, then not.
  store(slot.selected, 7u);
  CHECK(accounts.onTick(now, false) > 0 && load(slot.accepted) == 0);
  CHECK(accounts.onTick(now += 999 * kMs, false) > 0 && load(slot.accepted) == 0);
  CHECK(accounts.onTick(now += 2 * kMs, false) > 0 && load(slot.accepted) == 7);
  CHECK(accounts.onTick(now, false) == 0);
  // Also while others come and go: what is missing all the time, and no more.
  for (int tick = 0; tick < 20; tick++) {
    store(slot.selected, load(slot.selected) + 100);
    CHECK(accounts.onTick(now += 100 * kMs, true) > 0);
    store(slot.accepted, load(slot.accepted) + (tick == 0 ? 95 : 100));
    CHECK(accounts.onTick(now += kMs, true) > 0);
  }
  CHECK(load(slot.selected) == load(slot.accepted));
  // When nothing is missing for a moment, the second begins anew.
  store(slot.selected, load(slot.selected) + 1);
  CHECK(accounts.onTick(now += kMs, true) > 0);
  store(slot.accepted, load(slot.accepted) + 1);
  CHECK(accounts.onTick(now += 900 * kMs, true) > 0);
  store(slot.selected, load(slot.selected) + 1);
  CHECK(accounts.onTick(now += kMs, true) > 0);
  CHECK(accounts.onTick(now += 900 * kMs, true) > 0 && load(slot.selected) == load(slot.accepted) + 1);
  CHECK(accounts.onTick(now += 100 * kMs, true) > 0 && load(slot.selected) == load(slot.accepted));
  store(slot.selected, 7u);
  store(slot.accepted, 7u);
  // More accepted than selected: at once, also across the wrap of the counters.
  store(slot.accepted, 9u);
  accounts.onTick(now, true);
  CHECK(load(slot.accepted) == 7);
  store(slot.selected, 0xffffffffu);
  store(slot.accepted, 1u);
  accounts.onTick(now, true);
  CHECK(load(slot.accepted) == 0xffffffffu);
  CHECK(load(board.master().slot(1).accepted) == 0);

  // A charge goes down to nothing in two seconds, and is never more than the others carry.
  store(board.row(0).handicap, 100u);
  store(board.row(1).connections, 100u);
  store(board.row(2).connections, 100u);
  accounts.onTick(now, true);
  CHECK(load(board.row(0).handicap) == 100);
  accounts.onTick(now += 1000 * kMs, true);
  CHECK(load(board.row(0).handicap) == 50);
  store(board.row(1).connections, 9u);
  store(board.row(2).connections, 4u);
  accounts.onTick(now += kMs, true);
  CHECK(load(board.row(0).handicap) == 7);
  CHECK(accounts.onTick(now += 2000 * kMs, true) > 0 && load(board.row(0).handicap) == 0);
  CHECK(accounts.onTick(now, false) == 0);
}
