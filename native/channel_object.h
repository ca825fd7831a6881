// The channel as JavaScript has it. See channel_object.cc.
#pragma once

#include <napi.h>

namespace drover {

Napi::Value SocketPair(const Napi::CallbackInfo& info);
Napi::Function ChannelClass(Napi::Env env);

}  // namespace drover
