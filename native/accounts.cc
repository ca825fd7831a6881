// A slot's queue, as the kernel's steering program sees it, is selected - accepted. It goes wrong: a handshake that never completes is selected and
// never accepted; a connection that the hash placed is accepted and was never selected. Here it is set right.
//
// - More selected than accepted and queued (TCP_INFO), for a whole second: the least of it in that second is not to come any more. The least, not what it is at one
//   moment: under traffic there is always a handshake under way. Where many are under way all the time, from slow clients, so many are left out of the load.
// - More accepted than selected is wrong at once: the choice comes first.
// - By atomic operations: an accept of the same moment counts.
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
constexpr int kTickMs = 5;
constexpr int kSlowTickMs = 100;
constexpr uint64_t kDecayNs = 2'000'000'000;
}  // namespace

int Accounts::onTick(uint64_t now, bool traffic) {
  const bool decaying = decay(now);
  bool wrong = false;
  for (size_t i = 0; i < sockets_.size(); i++) {
    const int slot = sockets_[i].slot;
    bool seen = false;
    for (size_t j = 0; j < i; j++) seen |= sockets_[j].slot == slot;
    if (!seen) wrong |= settle(slot, now);
  }
  return decaying ? kTickMs : wrong || (traffic && !sockets_.empty()) ? kSlowTickMs : 0;
}

// Answers whether the slot has to be looked at again.
bool Accounts::settle(int slot, uint64_t now) {
  SlotBoard& counters = board_.slot(slot);
  Window& window = windows_[static_cast<size_t>(slot)];
  uint32_t accepted = load(counters.accepted);
  const uint32_t selected = load(counters.selected);
  if (accepted == selected) {
    window = {};
    return false;
  }
  std::atomic_ref<uint32_t> field(counters.accepted);
  if (static_cast<int32_t>(selected - accepted) < 0) return !field.compare_exchange_strong(accepted, selected);
  uint32_t queued = 0;
  for (const Socket& socket : sockets_) {
    QueueLength queue{};
    if (socket.slot == slot && queueLength(socket.fd, queue) == 0) queued += queue.length;
  }
  // After the queue: what is accepted meanwhile is seen twice rather than not at all.
  const auto missing = static_cast<uint32_t>(std::max(0, static_cast<int32_t>(selected - load(counters.accepted) - queued)));
  if (window.since == 0 || missing == 0) window = {now, missing};
  window.least = std::min(window.least, missing);
  if (now - window.since < kSettledNs) return true;
  field.fetch_add(window.least, std::memory_order_relaxed);
  window = {};
  return true;
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
