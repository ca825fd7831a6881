// What a connection's peer has still to take, as the kernel knows it. See queued_bytes.cc.
#pragma once

#include <napi.h>

namespace drover {

// Bytes, or -errno.
int queuedBytes(int fd);

Napi::Value QueuedBytes(const Napi::CallbackInfo& info);

}  // namespace drover
