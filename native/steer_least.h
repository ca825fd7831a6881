// Steering by load: the kernel gives a new connection to the slot that has least to do. See steer_least.cc.
#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "accounts.h"
#include "bpf.h"
#include "steered_group.h"

namespace drover {

// The program for `slots` (of the board), over the board's map and a map of the sockets by slot.
std::vector<bpf_insn> leastLoadedProgram(int board, int sockets, std::span<const int> slots, uint64_t stallNs);
// Load it and attach it to the group that `fd` is a socket of. 0 or -errno.
int steerLeast(int fd, int board, int sockets, std::span<const int> slots, int stallMs);

// One group steered by load. Workers that come and go need nothing from it: the board tells the program.
class LeastGroup final : public SteeredGroup {
 public:
  LeastGroup(Conductor& conductor, Accounts& accounts, Fd board, uint64_t stallNs)
      : SteeredGroup(conductor), accounts_(accounts), board_(std::move(board)), stallNs_(stallNs) {}
  ~LeastGroup() override;

  // 0 or -errno: whether the kernel takes our program. Before anything else.
  int open();
  int add(int slot, int fd) override;
  int attach() override;
  int onTick(uint64_t now, bool traffic) override;

 private:
  int load(std::span<const int> slots, Fd& program) const;

  Accounts& accounts_;
  Fd board_;
  uint64_t stallNs_;
  Fd sockets_;
  Fd program_;
  uint64_t attached_ = 0;
};

Napi::Value CreateBoardMap(const Napi::CallbackInfo& info);
Napi::Value CreateSocketMap(const Napi::CallbackInfo& info);
Napi::Value SetSocket(const Napi::CallbackInfo& info);
Napi::Value SteerLeast(const Napi::CallbackInfo& info);

}  // namespace drover
