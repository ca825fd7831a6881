// Theft: a thief takes what is better with it: from an owner that cannot come (not ready, full, stalled, out of descriptors), or that would still hold more than we
// do, counting both queues. Else the connection is left to its owner, or a burst, which steering has dealt out evenly, would end up with whoever
// runs first. Leaving is not forgetting, although the wake-up was ours: we look again every kAsideMs. From an owner that has not moved meanwhile (turned its loop, or
// accepted) who has nothing else to do, nor clearly more connections, takes one at each look; from one that has not moved for --stall-ms everybody takes all. So nobody
// waits behind a busy owner while somebody is idle and as light, nor behind a stalled one at all, and a queue that was skipped is looked at until it is empty.
//
// On a board that is sticky (--steer source) nothing is taken from an owner that serves, however long it takes: what its clients come back for is there and nowhere else. Siblings do
// not even poll: the owner would not be told of what they were woken for. Where nobody of the slot listens any more they do (Acceptor::setUnattended), and until they have been told
// so what is left is rescued (rescue.cc).
#include "theft.h"

#include <algorithm>

#include "least_loaded.h"

namespace drover {

namespace {
constexpr uint32_t kSlack = 2;
constexpr uint32_t kSlackPercent = 2;
constexpr uint64_t kNever = UINT64_MAX / 2;
}  // namespace

BoardRow* otherOwner(const Board& board, int slot) {
  const uint32_t owner = load(board.slot(slot).owner);
  return owner == 0 || &board.rowOf(owner) == &board.own() ? nullptr : &board.rowOf(owner);
}

bool isServed(const Board& board, int slot) {
  BoardRow* owner = otherOwner(board, slot);
  return owner != nullptr && load(owner->state) == static_cast<uint32_t>(State::kReady);
}

bool canCome(BoardRow& owner, uint32_t queued, uint64_t now) {
  // Its queue as if it were accepted but for one: full by then, it will not come for that one. Whether it is stalled we see better below than by its stamp: who
  // accepts many connections in one turn is long out of poll, too.
  return judge(owner, queued - 1, now, kNever).eligible;
}

bool isBetterWithUs(const Board& board, int slot, BoardRow& owner, uint32_t queued, const std::function<uint32_t()>& ownQueue, uint64_t now, LeftToOwner& left) {
  SlotBoard& counters = board.slot(slot);
  const uint32_t ours = load(board.own().connections);
  const uint32_t theirs = load(owner.connections) + queued;
  if (ours + 1 < theirs && ours + ownQueue() + 1 < theirs) return true;
  const uint64_t turns = load(owner.loopTurns);
  const uint32_t accepted = load(counters.accepted) - left.taken;
  if (left.since == 0 || turns != left.ownerTurns || accepted != left.slotAccepted) {
    left = {.since = now, .lastTaken = now, .ownerTurns = turns, .slotAccepted = load(counters.accepted), .taken = 0};
    return false;
  }
  if (now - left.since < board.stallNs()) {
    // It may only be waiting for its CPU: no more than one at each look, and only by who has nothing else to do, nor clearly more to carry.
    if (ours > theirs + std::max(kSlack, theirs * kSlackPercent / 100) || load(board.own().requestsInFlight) > 0 || now - left.lastTaken < kAsideMs * 1'000'000 || ownQueue() > 0) return false;
  }
  left.lastTaken = now;
  left.taken++;
  return true;
}

}  // namespace drover
