// Children that libuv does not know. See reap.cc.
#pragma once

#include <napi.h>

namespace drover {

int reap(int pid);
int setSubreaper();

Napi::Value Reap(const Napi::CallbackInfo& info);
Napi::Value SetSubreaper(const Napi::CallbackInfo& info);

}  // namespace drover
