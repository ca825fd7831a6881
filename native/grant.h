// The conductor's duty of strategy grant: which worker accepts the next connection. See grant.cc.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "board.h"
#include "conductor.h"
#include "fd.h"
#include "least_loaded.h"

namespace drover {

class Bells;

class GrantDuty final : public Duty {
 public:
  GrantDuty(Conductor& conductor, const Bells& bells, uint64_t stallNs) : conductor_(conductor), bells_(bells), stallNs_(stallNs) {}

  // A listening socket, as a duplicate that is ours. An id for removeSocket, or -errno.
  int addSocket(Fd socket);
  void removeSocket(int id);

  void onReady(int fd) override;
  int onTick(uint64_t now, bool traffic) override;

 private:
  struct Socket {
    Fd fd;
    // Whether the kernel tells the length of its queue.
    bool counted;
  };
  // What is remembered of a worker between two looks.
  struct Seat {
    bool ready = false;
    uint32_t taken = 0;
    uint64_t accepted = 0;
    // Since when it has taken none of its grants.
    uint64_t since = 0;
    // It took grants and accepted nothing, this often in a row: others first, until then.
    int missed = 0;
    uint64_t avoidUntil = 0;
  };
  // In how many milliseconds to look again; 0: nothing is under way, nothing waits.
  int give(uint64_t now);
  uint32_t uncountedWaiting() const;
  uint32_t look(uint64_t now);
  uint32_t place(uint32_t need, uint64_t now);
  int choose(uint64_t now);
  int untilSomebodyCan() const;
  int untilOverdue(uint64_t now) const;

  Conductor& conductor_;
  const Bells& bells_;
  uint64_t stallNs_;
  std::unordered_map<int, Socket> sockets_;
  // What has become ready since the last look: any socket, and those whose queue has no length.
  bool arrived_ = false;
  uint32_t edges_ = 0;
  // Of the last look that may have given one grant too few: when to look again.
  int unsureMs_ = 0;
  // What the look before this one has seen.
  uint32_t lastQueued_ = 0;
  uint32_t lastOutstanding_ = 0;
  std::vector<Seat> seats_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate> preferred_;
  std::vector<bool> rings_;
  uint32_t random_ = 1;
};

}  // namespace drover
