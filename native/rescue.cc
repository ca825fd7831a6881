// Rescue: with EPOLLEXCLUSIVE a wake-up is a promise, and the kernel makes it to one worker only. Where it is broken (the worker was killed or stopped between
// wake-up and accept, has no descriptor left, or has left a connection to an owner that then blocked) the connection would wait for the next arrival. The
// conductor looks, ten times a second while there is traffic, at the queues of all sockets that are waited on so (reuseport, exclusive) and rings a worker that
// could take what waits:
//
// - one that sleeps, when it has slept from one look to the next while the queue was not empty: whoever was woken is not it, and has not come;
// - whoever is least loaded, when nothing has been accepted anywhere for --stall-ms;
// - at once, one that is idle if there is one, when a worker says that it gives its wake-up up (BoardHeader.orphaned), or has died: the master frees its row and
//   tells us as it learns of it.
//
// Who is rung looks at all its sockets, in the row or not. Ringing in vain costs a look; so one worker is rung, and has --stall-ms to come before another is.
// With more than FULL slots (src/accept/cover.ts) not everybody has the socket, and on a sticky board a sibling's is polled only by who knows that nobody listens there: all of them are rung, which for so rare a thing is good enough.
#include "rescue.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "bells.h"
#include "least_loaded.h"

namespace drover {

namespace {
// While something waits; while there is traffic and somebody could not come lately; while there is traffic.
constexpr int kTickMs = 5;
constexpr int kWaryTickMs = 20;
constexpr int kSlowTickMs = 100;
// Up to so many slots every worker has every socket: FULL in src/accept/cover.ts.
constexpr size_t kMaxCovered = 16;
}  // namespace

int RescueDuty::addSocket(Fd socket) {
  const int id = socket.get();
  if (const int status = conductor_.watchTraffic(id); status < 0) return status;
  sockets_[id] = {.fd = std::move(socket)};
  return id;
}

void RescueDuty::removeSocket(int id) {
  conductor_.unwatchTraffic(id);
  sockets_.erase(id);
}

// Looks at all queues. Whether any is not empty.
bool RescueDuty::readable() {
  std::vector<pollfd> looks;
  looks.reserve(sockets_.size());
  for (const auto& [id, socket] : sockets_) looks.push_back({id, POLLIN, 0});
  if (::poll(looks.data(), looks.size(), 0) < 0) return false;
  bool any = false;
  for (const pollfd& look : looks) {
    Socket& socket = sockets_.find(look.fd)->second;
    const bool waits = (look.revents & POLLIN) != 0;
    if (!waits) socket.since = socket.rungUntil = 0;
    else if (socket.since == 0) socket.since = 1;
    any |= waits;
  }
  return any;
}

// The least loaded worker that could take a connection, of those that slept since the last look or are idle only if so wished. Whether there is one.
bool RescueDuty::ring(uint64_t now, Whom whom) {
  std::vector<Candidate> candidates;
  // As many as there were when the tick began: the master may take another row into use meanwhile.
  const auto rows = conductor_.board().rows().first(sleepers_.size());
  for (size_t i = 0; i < rows.size(); i++) {
    Candidate candidate = judge(rows[i], 0, now, stallNs_);
    candidate.eligible &= bells_.has(static_cast<int>(i));
    if (whom != Whom::kAnybody) candidate.eligible &= candidate.idle;
    if (whom == Whom::kSlept) candidate.eligible &= sleepers_[i].asleep && sleepers_[i].turns == load(rows[i].loopTurns);
    candidates.push_back(candidate);
  }
  random_ = random_ * 1664525u + 1013904223u;
  const int chosen = leastLoaded(candidates, random_);
  if (chosen < 0) return false;
  if (rows.size() <= kMaxCovered && !conductor_.board().sticky()) {
    bells_.ring(chosen);
  } else {
    for (size_t i = 0; i < candidates.size(); i++) {
      if (candidates[i].eligible) bells_.ring(static_cast<int>(i));
    }
  }
  return true;
}

// Rings for a connection that has waited long enough. Whether anybody was there to be rung. `given`: a wake-up was given up, or a worker has died.
bool RescueDuty::ringFor(const Socket& socket, uint64_t now, bool given) {
  // `since` is set at the end of a tick: at the first look nobody has slept through anything.
  const bool looked = socket.since > 1;
  // What a slot without a worker has nobody polls there: that others accept elsewhere says nothing of it, nor need who sleeps have the socket.
  if (conductor_.board().sticky()) return (given || (looked && now - socket.since > stallNs_)) && ring(now, Whom::kAnybody);
  if (looked && ring(now, Whom::kSlept)) return true;
  if (given && ring(now, Whom::kIdle)) return true;
  return (given || (looked && now - std::max(socket.since, acceptedAt_) > stallNs_)) && ring(now, Whom::kAnybody);
}

int RescueDuty::onTick(uint64_t now, bool traffic) {
  if (sockets_.empty()) return 0;
  Board& board = conductor_.board();
  const auto rows = board.rows();
  sleepers_.resize(std::max(sleepers_.size(), rows.size()));
  uint64_t accepted = 0;
  for (BoardRow& row : rows) accepted += load(row.accepted);
  if (accepted != accepted_) acceptedAt_ = now;
  accepted_ = accepted;
  const uint32_t orphaned = load(board.header().orphaned);
  bool given = orphaned != orphaned_;
  orphaned_ = orphaned;
  const auto isAlive = [](BoardRow& row) {
    const uint32_t state = load(row.state);
    return state == static_cast<uint32_t>(State::kReady) || state == static_cast<uint32_t>(State::kDraining);
  };
  for (size_t i = 0; i < rows.size(); i++) given |= sleepers_[i].alive && !isAlive(rows[i]);

  const bool waits = readable();
  for (auto& [id, socket] : sockets_) {
    if (socket.since == 0 || (now < socket.rungUntil && !given)) continue;
    if (ringFor(socket, now, given)) socket.rungUntil = now + stallNs_;
  }
  for (auto& [id, socket] : sockets_) {
    if (socket.since == 1) socket.since = now;
  }
  for (size_t i = 0; i < rows.size(); i++) {
    sleepers_[i] = {.alive = isAlive(rows[i]), .asleep = load(rows[i].loopStamp) == 0, .turns = load(rows[i].loopTurns)};
    if (load(rows[i].state) == static_cast<uint32_t>(State::kReady) && !judge(rows[i], 0, now, stallNs_).eligible) unableAt_ = now;
  }
  if (waits) return kTickMs;
  if (!traffic) return 0;
  return unableAt_ != 0 && now - unableAt_ < kStallRememberedNs ? kWaryTickMs : kSlowTickMs;
}

}  // namespace drover
