// Accept queues, asked from JavaScript. See queue.cc.
#pragma once

#include <napi.h>

namespace drover {

Napi::Value QueueLengthOf(const Napi::CallbackInfo& info);
Napi::Value ListenDrops(const Napi::CallbackInfo& info);
Napi::Value IsWaiting(const Napi::CallbackInfo& info);
Napi::Value IsListening(const Napi::CallbackInfo& info);

}  // namespace drover
