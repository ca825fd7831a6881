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
  bool onTick(uint64_t now) override;

 private:
  struct Socket {
    Fd fd;
    bool counted;
  };
  // What is remembered of a worker between two looks.
  struct Seat {
    bool ready = false;
    uint32_t taken = 0;
    uint64_t accepted = 0;
    // Since when it has taken none of its grants.
    uint64_t since = 0;
    // It took a grant and accepted nothing although something was there: others first, until then.
    uint64_t avoidUntil = 0;
  };
  bool give(uint32_t uncounted, uint64_t now);
  uint32_t look(bool queued, uint64_t now);
  int choose(uint64_t now);

  Conductor& conductor_;
  const Bells& bells_;
  uint64_t stallNs_;
  std::unordered_map<int, Socket> sockets_;
  std::vector<Seat> seats_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate> preferred_;
  uint32_t random_ = 1;
};

}  // namespace drover
