// The bindings of queue.cc, in a file of their own: the plain half is part of programs without Node.
#include "queue_binding.h"

#include <cerrno>
#include <cstdint>

#include "args.h"
#include "queue.h"
#include "result.h"

namespace drover {

Napi::Value ListenDrops(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  uint32_t drops = 0;
  const int status = args.valid() ? listenDrops(fd, drops) : -EINVAL;
  if (status < 0) return result(info.Env(), status);
  return Napi::Number::New(info.Env(), drops);
}

Napi::Value QueueLengthOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Args args(info);
  const int fd = args.integer(0);
  QueueLength queue{};
  const int status = args.valid() ? queueLength(fd, queue) : -EINVAL;
  if (status < 0) return result(env, status);
  Napi::Object object = Napi::Object::New(env);
  object.Set("length", queue.length);
  object.Set("limit", queue.limit);
  return object;
}

Napi::Value IsWaiting(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  if (!args.valid()) return result(info.Env(), -EINVAL);
  return result(info.Env(), isWaiting(fd) ? 1 : 0);
}

Napi::Value IsListening(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  return result(info.Env(), args.valid() ? isListening(fd) : -EINVAL);
}

}  // namespace drover
