// Steering by the client's address within a SO_REUSEPORT group. See steer_source.cc.
#pragma once

#include <linux/filter.h>
#include <napi.h>

#include <cstdint>
#include <span>
#include <vector>

namespace drover {

// The program that picks a slot by a packet's source address. `indexes`: by slot, the index of its socket within the group; -1 where nobody serves.
std::vector<struct sock_filter> sourceProgram(std::span<const int> indexes, uint32_t seed);

Napi::Value SteerBySource(const Napi::CallbackInfo& info);

}  // namespace drover
