// Permits of the strategies lock and semaphore: the worker's side and the conductor's. See permit.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "board.h"
#include "conductor.h"
#include "fd.h"

namespace drover {

class Bells;

// The permit of one worker.
class Permit {
 public:
  void start(Board board, int row, int count);
  bool held() const { return index_ >= 0; }
  // Whether the board still says so; when it does not, it is no longer held.
  bool confirm();
  // Looks for a permit that was given to us. Answers whether there was one too many, which is nobody's now: the conductor has to know.
  bool look();
  // Give it to the least loaded idle worker that has none; where nobody is idle, to one that has clearly less to carry than we. Answers whether somebody was there.
  bool pass(const Bells& bells, uint64_t now);

 private:
  Board board_;
  uint32_t owner_ = 0;
  int count_ = 0;
  int index_ = -1;
  uint64_t word_ = 0;
  uint32_t random_ = 1;
};

// The conductor's: gives permits nobody has, and takes them from who cannot use them.
class PermitDuty final : public Duty {
 public:
  PermitDuty(Conductor& conductor, const Bells& bells, int count, uint64_t stallNs) : conductor_(conductor), bells_(bells), count_(count), stallNs_(stallNs) {}

  // A listening socket, as a duplicate that is ours. An id for removeSocket, or -errno.
  int addSocket(Fd socket);
  void removeSocket(int id);

  int onTick(uint64_t now, bool traffic) override;

 private:
  struct Watched {
    uint64_t word = 0;
    uint64_t accepted = 0;
    uint64_t since = 0;
    uint64_t turns = 0;
  };
  bool queued() const;
  bool give(int index, uint64_t word, uint64_t now);

  Conductor& conductor_;
  const Bells& bells_;
  int count_;
  uint64_t stallNs_;
  std::unordered_map<int, Fd> sockets_;
  std::array<Watched, kMaxPermits> watched_{};
  uint64_t queuedSince_ = 0;
  // When somebody was last seen stalled; 0: never.
  uint64_t stalledAt_ = 0;
  uint32_t random_ = 1;
};

}  // namespace drover
