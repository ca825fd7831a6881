// Steering by load: the kernel gives a new connection to the slot that has least to do. See steer_least.cc.
#pragma once

#include <napi.h>

#include <span>
#include <vector>

#include "bpf.h"

namespace drover {

// The program for `slots` (of the board), over the board's map and a map of the sockets by slot.
std::vector<bpf_insn> leastLoadedProgram(int board, int sockets, std::span<const int> slots, uint64_t stallNs);
// Load it and attach it to the group that `fd` is a socket of. 0 or -errno.
int steerLeast(int fd, int board, int sockets, std::span<const int> slots, int stallMs);

Napi::Value CreateBoardMap(const Napi::CallbackInfo& info);
Napi::Value CreateSocketMap(const Napi::CallbackInfo& info);
Napi::Value SetSocket(const Napi::CallbackInfo& info);
Napi::Value SteerLeast(const Napi::CallbackInfo& info);

}  // namespace drover
