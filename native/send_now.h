// Writing to a socket without ever waiting. See send_now.cc.
#pragma once

#include <napi.h>

#include <cstddef>
#include <span>

namespace drover {

// How many of the bytes were taken, or -errno.
int sendNow(int socket, std::span<const std::byte> bytes);

Napi::Value SendNow(const Napi::CallbackInfo& info);

}  // namespace drover
