// The conductor's net under the kernel's wake-ups. See rescue.cc.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "board.h"
#include "conductor.h"
#include "fd.h"

namespace drover {

class Bells;

class RescueDuty final : public Duty {
 public:
  RescueDuty(Conductor& conductor, const Bells& bells, uint64_t stallNs) : conductor_(conductor), bells_(bells), stallNs_(stallNs) {}

  // A listening socket, as a duplicate that is ours. An id for removeSocket, or -errno.
  int addSocket(Fd socket);
  void removeSocket(int id);

  int onTick(uint64_t now, bool traffic) override;

 private:
  struct Socket {
    Fd fd;
    // Since when something has waited in it, as far as ticks can tell; 0: nothing does.
    uint64_t since = 0;
    // Until then whoever was rung has time to come.
    uint64_t rungUntil = 0;
  };
  // A worker as it was at the last look: whether it slept, and the turn of its loop that ended in it.
  struct Sleeper {
    bool alive = false;
    bool asleep = false;
    uint64_t turns = 0;
  };
  enum class Whom { kSlept, kIdle, kAnybody };
  bool readable();
  bool ring(uint64_t now, Whom whom);
  bool ringFor(const Socket& socket, uint64_t now, bool given);

  Conductor& conductor_;
  const Bells& bells_;
  uint64_t stallNs_;
  std::unordered_map<int, Socket> sockets_;
  std::vector<Sleeper> sleepers_;
  uint64_t accepted_ = 0;
  uint64_t acceptedAt_ = 0;
  // When a ready worker was last seen that could not come: stalled, full or out of descriptors; 0: never.
  uint64_t unableAt_ = 0;
  uint32_t orphaned_ = 0;
  uint32_t random_ = 1;
};

}  // namespace drover
