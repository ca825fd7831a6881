// Grants: the conductor watches the listening socket, workers do not. It sees how many connections are queued (TCP_INFO), chooses a worker for each, adds
// to that worker's `granted` on the board and rings its bell; it alone then calls accept4. So the decision is made with all workers in view at the moment the
// connection is there, and a queue is never behind a worker that is busy.
//
// - What is granted and not yet taken is outstanding: it counts against the queue, and as load of its worker. Of a worker that is stalled, stopped,
//   gone, or takes none for --stall-ms, it does not count: the connection is given to another too, and the first finds nothing (EAGAIN).
// - Edge-triggered, and never lost: every edge is a look, and so are a worker that gives grants back and one that dies. Else we look when the first grant is
//   overdue, and soon where one grant too few may have been given: rows and queue are not read at the same moment.
// - What nobody can take waits, and `waiting` says so: a worker that has a place again takes one without asking (wake.cc), since over us it would be idle for
//   two more wake-ups. Either it sees `waiting`, or we see its place: each writes before it reads. A worker that was stalled and is back tells nobody; we look.
// - Who has taken grants and accepted nothing thrice in a row (its app has closed the server) is left out for longer and longer, but for a new connection that nobody
//   else can take.
// - unix sockets have no length to ask for: each edge is a grant. An edge may stand for several connections: a worker that leaves something behind says
//   so, and where nothing is outstanding and something waits that is a grant, too. Never one more per look: most of those would find nothing.
#include "grant.h"

#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "clock.h"
#include "queue.h"
#include "bells.h"

namespace drover {

namespace {
// How long such a worker is left out: doubled each time it misses again.
constexpr uint64_t kAvoidNs = 5'000'000;
constexpr int kMaxDoublings = 5;
// While somebody may be able to take what waits without telling; while all who could would tell.
constexpr int kTickMs = 5;
constexpr int kNetMs = 20;
// While nothing changes.
constexpr int kRestMs = 1000;
// Grants in a row that came to nothing. One may: somebody else was quicker. More, and its app has closed the server.
constexpr int kMissed = 3;
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
  arrived_ = true;
  if (!found->second.counted) edges_++;
}

int GrantDuty::onTick(uint64_t now, bool) { return give(now); }

uint32_t GrantDuty::uncountedWaiting() const {
  uint32_t count = 0;
  for (const auto& [id, socket] : sockets_) {
    if (!socket.counted && isWaiting(id)) count++;
  }
  return count;
}

int GrantDuty::give(uint64_t now) {
  Board& board = conductor_.board();
  if (sockets_.empty()) {
    store(board.header().waiting, 0u);
    return 0;
  }
  // In this order: what is accepted between the two looks makes one grant too few, until the next look, and not one that finds nothing.
  uint32_t outstanding = look(now);
  uint32_t queued = 0;
  bool isUncounted = false;
  for (const auto& [id, socket] : sockets_) {
    QueueLength queue{};
    isUncounted |= !socket.counted;
    if (socket.counted && queueLength(id, queue) == 0) queued += queue.length;
  }
  const uint32_t uncounted = uncountedWaiting();
  const uint32_t edges = std::exchange(edges_, 0);
  const bool same = !arrived_ && queued == lastQueued_ && outstanding == lastOutstanding_;
  lastQueued_ = queued;
  lastOutstanding_ = outstanding;
  unsureMs_ = queued == 0 || outstanding == 0 ? 0 : std::clamp(unsureMs_ * 2, 1, same ? kRestMs : kTickMs);
  uint32_t need = queued > outstanding ? queued - outstanding : 0;
  need += edges > 0 ? std::min(edges, uncounted) : outstanding == 0 ? uncounted : 0;
  rings_.clear();
  uint32_t left = place(need, now);
  std::atomic_ref<uint32_t>(board.header().waiting).exchange(left, std::memory_order_acq_rel);
  if (left > 0) {
    // Somebody may have got a place after we looked and before we said that something waits. Both change `waiting` to read it, so one comes after the other
    // and sees what the other has written before.
    look(now);
    const uint32_t still = place(left, now);
    if (still != left) store(board.header().waiting, still);
    left = still;
  }
  arrived_ = false;
  outstanding += need - left;
  for (size_t i = 0; i < rings_.size(); i++) {
    if (rings_[i]) bells_.ring(static_cast<int>(i));
  }
  int next = left > 0 ? untilSomebodyCan() : 0;
  const auto sooner = [&next](int ms) { next = next == 0 ? ms : std::min(next, ms); };
  if (outstanding > 0) sooner(untilOverdue(now));
  // Until nothing is: whoever took it may have been too late, or too dead, to say that it left something.
  if (outstanding > 0 && isUncounted) sooner(kTickMs);
  if (unsureMs_ > 0) sooner(unsureMs_);
  return next;
}

// Gives `need` grants to whom look() has found able, as far as that goes. Answers how many are left.
uint32_t GrantDuty::place(uint32_t need, uint64_t now) {
  rings_.resize(candidates_.size());
  for (; need > 0; need--) {
    const int chosen = choose(now);
    if (chosen < 0) break;
    const auto at = static_cast<size_t>(chosen);
    BoardRow& row = conductor_.board().rows()[at];
    const uint32_t granted = load(row.granted) + 1;
    if (granted - 1 == load(row.taken)) seats_[at].since = now;
    std::atomic_ref<uint32_t>(row.granted).store(granted, std::memory_order_release);
    candidates_[at] = judge(row, granted - load(row.taken) + load(row.arriving), now, stallNs_);
    rings_[at] = true;
  }
  return need;
}

// Nobody can take what waits. Who is full tells when it is not; who is stalled does not, and who is left out has its time.
int GrantDuty::untilSomebodyCan() const {
  const auto rows = conductor_.board().rows();
  for (size_t i = 0; i < candidates_.size() && i < rows.size(); i++) {
    BoardRow& row = rows[i];
    if (!seats_[i].ready || load(row.exhausted) > 0) continue;
    const uint32_t underway = load(row.arriving);
    if (load(row.connections) + underway < load(row.connectionLimit) && load(row.requestsInFlight) + underway < load(row.requestLimit)) return kTickMs;
  }
  return kNetMs;
}

// When the first of the grants under way has not been taken in time, or its worker is stalled.
int GrantDuty::untilOverdue(uint64_t now) const {
  const auto rows = conductor_.board().rows();
  uint64_t deadline = now + stallNs_;
  for (size_t i = 0; i < candidates_.size() && i < rows.size(); i++) {
    if (!seats_[i].ready || static_cast<int32_t>(load(rows[i].granted) - load(rows[i].taken)) <= 0) continue;
    for (const uint64_t since : {seats_[i].since, load(rows[i].loopStamp)}) {
      if (since != 0 && since + stallNs_ >= now) deadline = std::min(deadline, since + stallNs_);
    }
  }
  return static_cast<int>((deadline - now) / 1'000'000) + 1;
}

// Reads the rows into candidates. Answers how many grants are outstanding with workers that may be expected to take them.
uint32_t GrantDuty::look(uint64_t now) {
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
    // What is taken is on its way to JavaScript (arriving) until JavaScript has counted it: read in this order it is seen at least once.
    const uint32_t taken = std::atomic_ref<uint32_t>(row.taken).load(std::memory_order_acquire);
    const uint32_t arriving = std::atomic_ref<uint32_t>(row.arriving).load(std::memory_order_acquire);
    const uint64_t accepted = load(row.accepted);
    if (!seat.ready) {
      // A worker new in this row owes nothing.
      seat = {.ready = true, .taken = taken, .accepted = accepted, .since = now, .missed = 0, .avoidUntil = 0};
      store(row.granted, taken);
    } else if (taken != seat.taken) {
      seat.missed = accepted == seat.accepted ? seat.missed + 1 : 0;
      seat.avoidUntil = seat.missed < kMissed ? 0 : now + (kAvoidNs << std::min(seat.missed - kMissed, kMaxDoublings));
      seat.taken = taken;
      seat.accepted = accepted;
      seat.since = now;
    }
    const uint32_t own = static_cast<uint32_t>(std::max(0, static_cast<int32_t>(load(row.granted) - taken)));
    Candidate candidate = judge(row, own + arriving, now, stallNs_);
    const uint64_t leftPoll = load(row.loopStamp);
    if (own > 0 && seat.since + stallNs_ < now) {
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
  return preferred >= 0 || !arrived_ ? preferred : leastLoaded(candidates_, random_);
}

}  // namespace drover
