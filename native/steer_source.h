// Steering by the client's address within a SO_REUSEPORT group. See steer_source.cc.
#pragma once

#include <linux/filter.h>
#include <napi.h>

#include <cstdint>
#include <span>
#include <vector>

namespace drover {

// The program that picks one of `slots` (indexes within the group), all below `count`, by a packet's source address: always the same one while the slots are the same.
std::vector<struct sock_filter> sourceProgram(uint32_t count, std::span<const int> slots, uint32_t seed);

Napi::Value SteerBySource(const Napi::CallbackInfo& info);

}  // namespace drover
