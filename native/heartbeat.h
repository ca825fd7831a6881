// The heartbeat: proof of life, off the event loop. See heartbeat.cc.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "loop_handle.h"
#include "loop_stamp.h"
#include "parent_watch.h"
#include "thread.h"

namespace drover {

struct HeartbeatStats {
  uint64_t beats = 0;
  uint64_t longestMs = 0;
};

struct HeartbeatOptions {
  // How often the thread looks whether the loop has turned.
  int beatMs;
  // How often an idle loop turns.
  int turnMs;
  int parentPid;
  int graceMs;
  int exitCode;
};

class Heartbeat {
 public:
  Heartbeat() = default;
  ~Heartbeat() { stop(); }
  // Owns `fd`, if it is one, from a start that succeeded.
  int start(LoopHandles& handles, const LoopStamp& loopStamp, int fd, const HeartbeatOptions& options);
  void stop();
  HeartbeatStats stats() const;

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
  Thread thread_;
  LoopHandle<uv_timer_t> timer_;
  LoopHandle<uv_check_t> check_;
  ParentWatch parentWatch_;
};

Napi::Value StartHeartbeat(const Napi::CallbackInfo& info);
Napi::Value GetHeartbeatStats(const Napi::CallbackInfo& info);

}  // namespace drover
