// The one error convention of the native half: a number >= 0, or -errno. "Nothing now" (-EAGAIN) is a value like any other;
// src/native.ts turns the rest into errors of Node's own shape.
#pragma once

#include <napi.h>

#include "last_error.h"

namespace drover {

inline Napi::Value result(Napi::Env env, int value) { return Napi::Number::New(env, value); }

}  // namespace drover
