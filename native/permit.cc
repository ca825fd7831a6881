// Permits: leader and followers. One socket for all, polled only by who has a permit. On a connection the holder first gives the permit to an idle worker
// and then lets JavaScript at the connection, so the next one is armed in advance: two wake-ups per connection, whatever the number of workers.
//
// A permit is a word on the board, owner and epoch, changed by compare-and-swap. Not a pthread mutex: a robust mutex survives its holder's death but never
// its stall, and Node's failure is the stall. The epoch makes a deposed holder notice even when it was given the permit again since.
#include "permit.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "least_loaded.h"
#include "queue.h"
#include "last_error.h"
#include "bells.h"

namespace drover {

namespace {
// While something waits; at most, where there is only traffic.
constexpr int kTickMs = 5;
constexpr int kMaxCalmMs = 100;
constexpr uint64_t kMsNs = 1'000'000;
// Connections by which another has to be below us before a permit waits for the end of what it is at.
constexpr uint32_t kSlack = 2;

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

bool Permit::look() {
  confirm();
  bool spare = false;
  for (int i = 0; i < count_; i++) {
    uint64_t word = permitAt(board_, i).load();
    if (ownerOf(word) != owner_ || i == index_) continue;
    if (index_ < 0) {
      index_ = i;
      word_ = word;
    } else {
      // Two have given us theirs at the same moment. One is all a worker can use.
      spare |= permitAt(board_, i).compare_exchange_strong(word, handedTo(word, 0));
    }
  }
  return spare;
}

bool Permit::pass(const Bells& bells, uint64_t now) {
  std::vector<Candidate> idle;
  std::vector<Candidate> lighter;
  int row = 0;
  const uint32_t ours = load(board_.rowOf(owner_).connections);
  for (BoardRow& other : board_.rows()) {
    Candidate candidate = judge(other, 0, now, board_.stallNs());
    candidate.eligible &= bells.has(row) && !holds(board_, count_, static_cast<uint32_t>(row) + 1);
    idle.push_back(candidate);
    idle.back().eligible &= candidate.idle;
    lighter.push_back(candidate);
    lighter.back().eligible &= load(other.connections) + kSlack < ours;
    row++;
  }
  int chosen = leastLoaded(idle, next(random_));
  if (chosen < 0) chosen = leastLoaded(lighter, next(random_));
  if (chosen < 0) return false;
  const int index = std::exchange(index_, -1);
  // It fails when we were deposed: then it is not ours to give, and gone all the same.
  if (permitAt(board_, index).compare_exchange_strong(word_, handedTo(word_, static_cast<uint32_t>(chosen) + 1))) bells.ring(chosen);
  return true;
}

int PermitDuty::addSocket(Fd socket) {
  const int id = socket.get();
  if (const int status = conductor_.watchTraffic(id); status < 0) return status;
  sockets_[id] = std::move(socket);
  return id;
}

void PermitDuty::removeSocket(int id) {
  conductor_.unwatchTraffic(id);
  sockets_.erase(id);
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

int PermitDuty::onTick(uint64_t now, bool traffic) {
  if (sockets_.empty()) return 0;
  Board& board = conductor_.board();
  const bool waiting = queued();
  if (!waiting) queuedSince_ = 0;
  else if (queuedSince_ == 0) queuedSince_ = now;

  bool starting = false;
  for (BoardRow& row : board.rows()) {
    starting |= load(row.state) == static_cast<uint32_t>(State::kStarting);
    const uint64_t leftPoll = load(row.loopStamp);
    if (load(row.state) == static_cast<uint32_t>(State::kReady) && leftPoll != 0 && leftPoll + stallNs_ < now) stalledAt_ = now;
  }
  // Nothing waits: the next look is when a holder that is out of poll is stalled, or, if none is, when one could be that leaves it now. Where nobody has
  // been stalled for long twice that time, since each look is a wake-up.
  const bool wary = stalledAt_ != 0 && now - stalledAt_ < kStallRememberedNs;
  uint64_t due = now + std::clamp<uint64_t>(wary ? stallNs_ : 2 * stallNs_, kTickMs * kMsNs, kMaxCalmMs * kMsNs);

  bool more = waiting || traffic;
  // A holder cannot use its permit, and nobody else can.
  bool unable = false;
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
    if (word != watched.word || accepted != watched.accepted) watched = {word, accepted, now, load(row.loopTurns)};
    const Candidate candidate = judge(row, 0, now, stallNs_);
    const bool ready = load(row.state) == static_cast<uint32_t>(State::kReady);
    // Asleep in poll and yet not taking what is there: stopped by a signal, out of descriptors, dead and its death not yet known, or blocked where no stamp tells.
    const bool idle = waiting && now - std::max(queuedSince_, watched.since) > stallNs_;
    if (idle) setLate(row, watched.turns);
    if (candidate.eligible && !idle) {
      const uint64_t leftPoll = load(row.loopStamp);
      if (leftPoll != 0) due = std::min(due, std::max(leftPoll + stallNs_, now));
      continue;
    }
    if (give(i, word, now)) continue;
    unable = true;
    // A holder that was handed the permit by one that died before it could ring: it waits in poll and does not know.
    if (ready && candidate.idle) bells_.ring(static_cast<int>(owner) - 1);
    if (!ready) {
      permitAt(board, i).compare_exchange_strong(word, handedTo(word, 0));
      more |= starting;
    }
  }
  if (!more) return 0;
  return waiting || starting || unable ? kTickMs : static_cast<int>((due - now) / kMsNs) + 1;
}

}  // namespace drover
