// State per environment, freed when it ends. See environment.h.
//
// Needs napi_add_async_cleanup_hook (Node-API 8): libuv handles are gone only one loop turn after uv_close, and Node aborts when a worker
// thread's loop still has handles; the asynchronous hook makes it wait for us, and keeps this object alive until then.
#include "environment.h"

namespace drover {

namespace {
uv_loop_t* loopOf(Napi::Env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}
}  // namespace

Environment::Environment(Napi::Env env) : handles(loopOf(env)) {
  napi_add_async_cleanup_hook(
      env, [](napi_async_cleanup_hook_handle hook, void* self) { static_cast<Environment*>(self)->shutDown(hook); }, this, nullptr);
}

void Environment::shutDown(napi_async_cleanup_hook_handle hook) {
  // A resource removes itself as it shuts down.
  while (!resources_.empty()) (*resources_.begin())->shutDown();
  loopStamp.stop();
  heartbeat.stop();
  wake.stop();
  handles.whenEmpty([hook] { napi_remove_async_cleanup_hook(hook); });
}

}  // namespace drover
