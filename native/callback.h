// Calling JavaScript from the event loop.
#pragma once

#include <napi.h>

#include <initializer_list>

namespace drover {

// Calls `function` as Node calls its own listeners: nextTicks and promises run after it, and what it throws goes to
// 'uncaughtException'. Returns whether JavaScript was entered: false while the environment is being torn down, and the
// caller still owns what it meant to hand over.
inline bool callBack(Napi::Env env, napi_async_context context, napi_value receiver, napi_value function,
                     std::initializer_list<napi_value> arguments) {
  const napi_status status =
      napi_make_callback(env, context, receiver, function, arguments.size(), arguments.begin(), nullptr);
  if (status == napi_ok) return true;
  // Before Node-API 10 "cannot run JavaScript any more" is told as a pending exception, too; then there is none.
  bool threw = false;
  if (napi_is_exception_pending(env, &threw) != napi_ok || !threw) return false;
  napi_value error = nullptr;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  return true;
}

}  // namespace drover
