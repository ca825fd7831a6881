// A slot's queue, as the kernel's steering program sees it, is selected - accepted. It goes wrong: a handshake that never completes is selected and
// never accepted; a connection that the hash placed is accepted and was never selected. Here it is set right.
//
// - More selected than accepted, nothing queued (TCP_INFO), and neither has moved for a second: nothing more is to come. A slot whose count is too
//   high gets fewer connections, so that second does come, also under traffic.
// - More accepted than selected is wrong at once: the choice comes first.
// - By compare-and-swap: an accept of the same moment wins, and we look again at the next tick.
//
// And handicaps: what a newcomer is charged goes down to 0 in kDecayNs, and is never more than the others carry on average at that moment: after a
// reload the load it was charged for leaves with the old workers.
#include "accounts.h"

#include <algorithm>
#include <atomic>

#include "queue.h"

namespace drover {

namespace {
constexpr uint64_t kSettledNs = 1'000'000'000;
constexpr uint64_t kDecayNs = 2'000'000'000;
}  // namespace

bool Accounts::onTick(uint64_t now) {
  bool more = decay(now);
  for (size_t i = 0; i < sockets_.size(); i++) {
    const int slot = sockets_[i].slot;
    bool seen = false;
    for (size_t j = 0; j < i; j++) seen |= sockets_[j].slot == slot;
    if (!seen) more |= settle(slot, now);
  }
  return more;
}

// Answers whether the slot has to be looked at again.
bool Accounts::settle(int slot, uint64_t now) {
  SlotBoard& counters = board_.slot(slot);
  Seen& seen = slots_[static_cast<size_t>(slot)];
  uint32_t accepted = load(counters.accepted);
  const uint32_t selected = load(counters.selected);
  if (accepted == selected) return false;
  std::atomic_ref<uint32_t> field(counters.accepted);
  if (static_cast<int32_t>(selected - accepted) < 0) return !field.compare_exchange_strong(accepted, selected);
  if (seen.selected != selected || seen.accepted != accepted || seen.since == 0) {
    seen = {selected, accepted, now};
    return true;
  }
  if (now - seen.since < kSettledNs) return true;
  for (const Socket& socket : sockets_) {
    QueueLength queue{};
    if (socket.slot == slot && queueLength(socket.fd, queue) == 0 && queue.length > 0) return true;
  }
  return !field.compare_exchange_strong(accepted, selected);
}

// What the other ready workers carry on average, rounded up.
uint32_t Accounts::averageLoadBut(size_t newcomer) const {
  const auto rows = board_.rows();
  uint64_t sum = 0;
  uint64_t count = 0;
  for (size_t i = 0; i < rows.size(); i++) {
    if (i == newcomer || load(rows[i].state) != static_cast<uint32_t>(State::kReady)) continue;
    sum += load(rows[i].connections) + load(rows[i].requestsInFlight);
    count++;
  }
  return count == 0 ? 0 : static_cast<uint32_t>((sum + count - 1) / count);
}

bool Accounts::decay(uint64_t now) {
  bool more = false;
  const auto rows = board_.rows();
  for (size_t i = 0; i < rows.size(); i++) {
    uint32_t handicap = load(rows[i].handicap);
    Decay& row = rows_[i];
    if (handicap == 0) {
      row = {};
      continue;
    }
    // Not what we have set: the master has, for another newcomer.
    if (handicap != row.last) row = {handicap, handicap, now};
    const uint64_t passed = now - row.since;
    const uint32_t decayed = passed >= kDecayNs ? 0 : static_cast<uint32_t>(row.initial * (kDecayNs - passed) / kDecayNs);
    const uint32_t next = std::min(decayed, averageLoadBut(i));
    if (std::atomic_ref<uint32_t>(rows[i].handicap).compare_exchange_strong(handicap, next)) row.last = next;
    more = true;
  }
  return more;
}

}  // namespace drover
