// The one error convention of the native half: a number >= 0, or -errno. "Nothing now" (-EAGAIN) is a value like any other;
// src/native.ts turns the rest into errors of Node's own shape.
#pragma once

#include <napi.h>

#include <cerrno>

namespace drover {

// What the last system call of this thread failed with, as we hand it on.
inline int lastError() { return -errno; }

inline Napi::Value result(Napi::Env env, int value) { return Napi::Number::New(env, value); }

}  // namespace drover
