// Grants: the conductor watches the listening socket, workers do not. It sees how many connections are queued (TCP_INFO), chooses a worker for each, adds
// to that worker's `granted` on the board and rings its bell; it alone then calls accept4. So the decision is made with all workers in view at the moment the
// connection is there, and a queue is never behind a worker that is busy.
//
// - What is granted and not yet taken is outstanding: it counts against the queue, and as load of its worker. Of a worker that is stalled, stopped,
//   gone, or takes none for --stall-ms, it does not count: the connection is given to another too, and the first finds nothing (EAGAIN).
// - Edge-triggered, and never lost: while anything is outstanding or could not be placed, we tick.
// - unix sockets have no length to ask for: each edge is a grant, and a worker that leaves something behind asks for the next one.
#include "grant.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <atomic>

#include "clock.h"
#include "queue.h"
#include "wake.h"

namespace drover {

namespace {
constexpr uint64_t kAvoidNs = 100'000'000;

bool isReadable(int fd) {
  pollfd look = {fd, POLLIN, 0};
  return ::poll(&look, 1, 0) > 0;
}
}  // namespace

int GrantDuty::addSocket(Fd socket) {
  const int id = socket.get();
  QueueLength queue{};
  const bool counted = queueLength(id, queue) == 0;
  if (const int status = conductor_.watch(id, EPOLLIN | EPOLLET, *this); status < 0) return status;
  sockets_[id] = {std::move(socket), counted};
  return id;
}

void GrantDuty::removeSocket(int id) {
  conductor_.unwatch(id);
  sockets_.erase(id);
}

void GrantDuty::onReady(int fd) {
  const auto found = sockets_.find(fd);
  if (found == sockets_.end()) return;
  give(!found->second.counted && isReadable(fd) ? 1 : 0, monotonicNow());
}

bool GrantDuty::onTick(uint64_t now) {
  uint32_t uncounted = 0;
  for (const auto& [id, socket] : sockets_) {
    if (!socket.counted && isReadable(id)) uncounted++;
  }
  return give(uncounted, now);
}

// Grants what is queued and not granted yet, and `uncounted` more. Answers whether anything is under way or waits.
bool GrantDuty::give(uint32_t uncounted, uint64_t now) {
  if (sockets_.empty()) return false;
  Board& board = conductor_.board();
  uint32_t queued = 0;
  for (const auto& [id, socket] : sockets_) {
    QueueLength queue{};
    if (socket.counted && queueLength(id, queue) == 0) queued += queue.length;
  }
  uint32_t outstanding = look(queued + uncounted > 0, now);
  uint32_t need = (queued > outstanding ? queued - outstanding : 0) + uncounted;
  std::vector<bool> rings(candidates_.size());
  while (need > 0) {
    const int chosen = choose(now);
    if (chosen < 0) break;
    const auto at = static_cast<size_t>(chosen);
    BoardRow& row = board.rows()[at];
    const uint32_t granted = load(row.granted) + 1;
    if (granted - 1 == load(row.taken)) seats_[at].since = now;
    std::atomic_ref<uint32_t>(row.granted).store(granted, std::memory_order_release);
    candidates_[at] = judge(row, granted - load(row.taken), now, stallNs_);
    rings[at] = true;
    outstanding++;
    need--;
  }
  for (size_t i = 0; i < rings.size(); i++) {
    if (rings[i]) bells_.ring(static_cast<int>(i));
  }
  store(board.header().waiting, need);
  return outstanding > 0 || need > 0;
}

// Reads the rows into candidates. Answers how many grants are outstanding with workers that may be expected to take them.
uint32_t GrantDuty::look(bool queued, uint64_t now) {
  const auto rows = conductor_.board().rows();
  seats_.resize(std::max(seats_.size(), rows.size()));
  candidates_.assign(rows.size(), {});
  uint32_t outstanding = 0;
  for (size_t i = 0; i < rows.size(); i++) {
    BoardRow& row = rows[i];
    Seat& seat = seats_[i];
    if (load(row.state) != static_cast<uint32_t>(State::kReady)) {
      seat = {};
      continue;
    }
    const uint32_t taken = load(row.taken);
    const uint64_t accepted = load(row.accepted);
    if (!seat.ready) {
      // A worker new in this row owes nothing.
      seat = {.ready = true, .taken = taken, .accepted = accepted, .since = now, .avoidUntil = 0};
      store(row.granted, taken);
    } else if (taken != seat.taken) {
      if (accepted == seat.accepted && queued) seat.avoidUntil = now + kAvoidNs;
      seat.taken = taken;
      seat.accepted = accepted;
      seat.since = now;
    }
    // What a drain accepts unasked is counted as taken, too.
    const uint32_t own = static_cast<uint32_t>(std::max(0, static_cast<int32_t>(load(row.granted) - taken)));
    Candidate candidate = judge(row, own, now, stallNs_);
    const uint64_t leftPoll = load(row.loopStamp);
    if (own > 0 && now - seat.since > stallNs_) {
      candidate.eligible = false;
    } else if (leftPoll == 0 || leftPoll + stallNs_ >= now) {
      outstanding += own;
    }
    candidates_[i] = candidate;
  }
  return outstanding;
}

int GrantDuty::choose(uint64_t now) {
  random_ = random_ * 1664525u + 1013904223u;
  preferred_ = candidates_;
  for (size_t i = 0; i < preferred_.size(); i++) preferred_[i].eligible &= seats_[i].avoidUntil <= now;
  const int preferred = leastLoaded(preferred_, random_);
  return preferred >= 0 ? preferred : leastLoaded(candidates_, random_);
}

}  // namespace drover
