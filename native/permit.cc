// Permits: leader and followers. One socket for all, polled only by who has a permit. On a connection the holder first gives the permit to an idle worker
// and then lets JavaScript at the connection, so the next one is armed in advance: two wake-ups per connection, whatever the number of workers.
//
// A permit is a word on the board, owner and epoch, changed by compare-and-swap. Not a pthread mutex: a robust mutex survives its holder's death but never
// its stall, and Node's failure is the stall. The epoch makes a deposed holder notice even when it was given the permit again since.
#include "permit.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "least_loaded.h"
#include "queue.h"
#include "result.h"
#include "wake.h"

namespace drover {

namespace {
// A worker out of poll for longer is not given a permit by its sibling; the conductor has --stall-ms.
constexpr uint64_t kStallNs = 20'000'000;

uint32_t ownerOf(uint64_t word) { return static_cast<uint32_t>(word); }
// The word that follows, with another owner (row + 1; 0: nobody).
uint64_t handedTo(uint64_t word, uint32_t owner) { return ((word >> 32) + 1) << 32 | owner; }

std::atomic_ref<uint64_t> permitAt(const Board& board, int index) { return std::atomic_ref<uint64_t>(board.header().permits[index]); }

bool holds(const Board& board, int count, uint32_t owner) {
  for (int i = 0; i < count; i++) {
    if (ownerOf(permitAt(board, i).load()) == owner) return true;
  }
  return false;
}

uint32_t next(uint32_t& random) { return random = random * 1664525u + 1013904223u; }
}  // namespace

void Permit::start(Board board, int row, int count) {
  board_ = board;
  owner_ = static_cast<uint32_t>(row) + 1;
  count_ = count;
  random_ = owner_ * 2654435761u;
}

bool Permit::confirm() {
  if (held() && permitAt(board_, index_).load() == word_) return true;
  index_ = -1;
  return false;
}

void Permit::look() {
  if (confirm()) return;
  for (int i = 0; i < count_; i++) {
    const uint64_t word = permitAt(board_, i).load();
    if (ownerOf(word) != owner_) continue;
    index_ = i;
    word_ = word;
    return;
  }
}

bool Permit::pass(const Bells& bells, uint64_t now) {
  std::vector<Candidate> candidates;
  int row = 0;
  for (BoardRow& other : board_.rows()) {
    Candidate candidate = judge(other, 0, now, kStallNs);
    candidate.eligible &= candidate.idle && bells.has(row) && !holds(board_, count_, static_cast<uint32_t>(row) + 1);
    candidates.push_back(candidate);
    row++;
  }
  const int chosen = leastLoaded(candidates, next(random_));
  if (chosen < 0) return false;
  const int index = std::exchange(index_, -1);
  // It fails when we were deposed: then it is not ours to give, and gone all the same.
  if (permitAt(board_, index).compare_exchange_strong(word_, handedTo(word_, static_cast<uint32_t>(chosen) + 1))) bells.ring(chosen);
  return true;
}

int PermitDuty::addSocket(Fd socket) {
  const int id = socket.get();
  if (const int status = conductor_.watch(id, EPOLLIN | EPOLLONESHOT, *this); status < 0) return status;
  sockets_[id] = std::move(socket);
  return id;
}

void PermitDuty::removeSocket(int id) {
  conductor_.unwatch(id);
  sockets_.erase(id);
}

// Traffic: ticks begin, which is all there is to do.
void PermitDuty::onReady(int) {}

void PermitDuty::onQuiet() {
  for (const auto& [id, socket] : sockets_) conductor_.watch(id, EPOLLIN | EPOLLONESHOT, *this);
}

bool PermitDuty::queued() const {
  for (const auto& [id, socket] : sockets_) {
    pollfd look = {id, POLLIN, 0};
    if (::poll(&look, 1, 0) > 0) return true;
  }
  return false;
}

// To whoever is least loaded and has none. Answers whether there was somebody.
bool PermitDuty::give(int index, uint64_t word, uint64_t now) {
  Board& board = conductor_.board();
  std::vector<Candidate> candidates;
  uint32_t owner = 1;
  for (BoardRow& row : board.rows()) {
    Candidate candidate = judge(row, 0, now, stallNs_);
    candidate.eligible &= !holds(board, count_, owner);
    candidates.push_back(candidate);
    owner++;
  }
  const int chosen = leastLoaded(candidates, next(random_));
  if (chosen < 0) return false;
  if (permitAt(board, index).compare_exchange_strong(word, handedTo(word, static_cast<uint32_t>(chosen) + 1))) bells_.ring(chosen);
  return true;
}

bool PermitDuty::onTick(uint64_t now) {
  if (sockets_.empty()) return false;
  Board& board = conductor_.board();
  const bool waiting = queued();
  if (!waiting) queuedSince_ = 0;
  else if (queuedSince_ == 0) queuedSince_ = now;

  bool starting = false;
  for (BoardRow& row : board.rows()) starting |= load(row.state) == static_cast<uint32_t>(State::kStarting);

  bool more = waiting;
  for (int i = 0; i < count_; i++) {
    Watched& watched = watched_[static_cast<size_t>(i)];
    uint64_t word = permitAt(board, i).load();
    const uint32_t owner = ownerOf(word);
    if (owner == 0) {
      // More permits than workers is no reason to tick; a worker that is about to come is.
      if (!give(i, word, now)) more |= starting;
      continue;
    }
    BoardRow& row = board.rowOf(owner);
    const uint64_t accepted = load(row.accepted);
    if (word != watched.word || accepted != watched.accepted) watched = {word, accepted, now};
    const Candidate candidate = judge(row, 0, now, stallNs_);
    const bool ready = load(row.state) == static_cast<uint32_t>(State::kReady);
    // Asleep in poll and yet not taking what is there: stopped by a signal, out of descriptors, or dead and its death not yet known.
    const bool idle = waiting && now - std::max(queuedSince_, watched.since) > stallNs_;
    if (candidate.eligible && !idle) continue;
    if (give(i, word, now)) continue;
    // A holder that was handed the permit by one that died before it could ring: it waits in poll and does not know.
    if (ready && candidate.idle) bells_.ring(static_cast<int>(owner) - 1);
    if (!ready) {
      permitAt(board, i).compare_exchange_strong(word, handedTo(word, 0));
      more |= starting;
    }
  }
  return more;
}

}  // namespace drover
