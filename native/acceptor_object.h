// The acceptor as JavaScript has it. See acceptor_object.cc.
#pragma once

#include <napi.h>

namespace drover {

Napi::Function AcceptorClass(Napi::Env env);

}  // namespace drover
