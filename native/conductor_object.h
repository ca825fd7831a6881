// The conductor as JavaScript has it. See conductor_object.cc.
#pragma once

#include <napi.h>

namespace drover {

Napi::Function ConductorClass(Napi::Env env);

}  // namespace drover
