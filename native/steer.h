// Steering of new connections within a SO_REUSEPORT group. See steer.cc.
#pragma once

#include <linux/filter.h>
#include <napi.h>

#include <span>
#include <vector>

namespace drover {

// The program that picks one of `slots` (indexes within the group) at random, each as likely.
std::vector<struct sock_filter> steeringProgram(std::span<const int> slots);
int steerAmong(int fd, std::span<const int> slots);

Napi::Value SteerAmong(const Napi::CallbackInfo& info);

}  // namespace drover
