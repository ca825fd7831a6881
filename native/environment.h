// What the addon keeps per environment: the main thread, and each worker thread that loads it, has its own. There are no globals.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_set>

#include "heartbeat.h"
#include "loop_handle.h"
#include "loop_stamp.h"
#include "memory.h"
#include "message.h"
#include "wake.h"

namespace drover {

// Something that holds libuv handles and has to let go of them when its environment ends.
class Resource {
 public:
  virtual void shutDown() = 0;

 protected:
  ~Resource() = default;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  void add(Resource* resource) { resources_.insert(resource); }
  void remove(Resource* resource) { resources_.erase(resource); }

  LoopHandles handles;
  Mappings mappings;
  LoopStamp loopStamp;
  Wake wake;
  Heartbeat heartbeat;
  // One for all channels of this environment: a message is made a JavaScript string before anybody else can receive.
  ReceiveBuffer receiveBuffer;

 private:
  void shutDown(napi_async_cleanup_hook_handle hook);

  std::unordered_set<Resource*> resources_;
};

}  // namespace drover
