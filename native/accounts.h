// The duty that keeps the board's sums right. See accounts.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "board.h"
#include "conductor.h"

namespace drover {

class Accounts final : public Duty {
 public:
  explicit Accounts(Board board) : board_(board), windows_(kMaxSlots), rows_(kMaxRows) {}

  // Lock held. A socket whose connections the kernel's program counts for `slot`; the descriptor stays the caller's.
  void add(int slot, int fd) { sockets_.push_back({slot, fd}); }
  void remove(int fd) {
    std::erase_if(sockets_, [fd](const Socket& socket) { return socket.fd == fd; });
  }
  int onTick(uint64_t now, bool traffic) override;

 private:
  struct Socket {
    int slot;
    int fd;
  };
  // The least that has been missing since then; since 0: nothing is known to be.
  struct Window {
    uint64_t since = 0;
    uint32_t least = 0;
  };
  // The handicap a row began with and the last one we have set.
  struct Decay {
    uint32_t initial = 0;
    uint32_t last = 0;
    uint64_t since = 0;
  };
  bool settle(int slot, uint64_t now);
  bool decay(uint64_t now);
  uint32_t averageLoadBut(size_t newcomer) const;

  Board board_;
  std::vector<Socket> sockets_;
  std::vector<Window> windows_;
  std::vector<Decay> rows_;
};

}  // namespace drover
