// Calling JavaScript from the event loop.
#pragma once

#include <napi.h>

#include <initializer_list>

namespace drover {

// Whether JavaScript may be entered now: not with an exception pending, and no more once the environment is being torn down. ToBoolean runs
// none itself.
inline bool mayCall(napi_env env) {
  napi_value value = nullptr;
  return napi_get_boolean(env, true, &value) == napi_ok && napi_coerce_to_bool(env, value, &value) == napi_ok;
}

// What JavaScript has thrown goes to 'uncaughtException'. Without an exception it was told to end (a worker thread), maybe within the call.
inline void reportException(napi_env env) {
  bool threw = false;
  napi_value error = nullptr;
  if (napi_is_exception_pending(env, &threw) != napi_ok || !threw) return;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

// Calls `function` as Node calls its own listeners: nextTicks and promises run after it.
inline void enter(napi_env env, napi_async_context context, napi_value receiver, napi_value function, std::initializer_list<napi_value> arguments) {
  if (napi_make_callback(env, context, receiver, function, arguments.size(), arguments.begin(), nullptr) != napi_ok) reportException(env);
}

// Calls it if that is possible, and returns whether what was handed over is JavaScript's. A thread that is ended within the call may have
// come to open a descriptor as its own, or not: closing that here could close it twice, so its number is rather lost.
inline bool callBack(napi_env env, napi_async_context context, napi_value receiver, napi_value function, std::initializer_list<napi_value> arguments) {
  if (!mayCall(env)) {
    // Of making the arguments: a setter of the app's that throws.
    reportException(env);
    return false;
  }
  enter(env, context, receiver, function, arguments);
  return true;
}

}  // namespace drover
