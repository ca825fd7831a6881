// The heartbeat: proof of life, off the event loop. See heartbeat.cc.
#pragma once

#include <napi.h>

#include <memory>
#include <thread>

#include "loop_handle.h"
#include "parent_watch.h"

namespace drover {

struct HeartbeatStats {
  uint64_t beats = 0;
  uint64_t longestMs = 0;
};

class Heartbeat {
 public:
  Heartbeat() = default;
  ~Heartbeat() { stop(); }
  // Owns `fd`, if it is one, from a start that succeeded.
  int start(LoopHandles& handles, int fd, int periodMs, int parentPid, int graceMs, int exitCode);
  void stop();
  HeartbeatStats stats() const;

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
  LoopHandle<uv_timer_t> timer_;
  ParentWatch parentWatch_;
};

Napi::Value StartHeartbeat(const Napi::CallbackInfo& info);
Napi::Value GetHeartbeatStats(const Napi::CallbackInfo& info);

}  // namespace drover
