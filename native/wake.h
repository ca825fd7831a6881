// A worker hears its bell. See wake.cc.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bells.h"
#include "board.h"
#include "fd.h"
#include "loop_handle.h"
#include "loop_stamp.h"
#include "permit.h"

namespace drover {

// Who accepts when the bell rings.
class WakeListener {
 public:
  virtual ~WakeListener() = default;
  // Accept one granted connection, if there is one.
  virtual bool takeGranted() = 0;
  // Is more queued where the conductor cannot count (unix sockets)?
  virtual bool seesMore() = 0;
  // Is it neither full, paused nor out of descriptors?
  virtual bool takesMore() = 0;
  // We have a permit now, or no longer.
  virtual void permitChanged() = 0;
  // A connection that the kernel may have woken somebody else for waits, and nobody comes for it.
  // `holder`: of a permit, before the bell as after it.
  virtual void rescue(bool holder) = 0;
};

class Wake {
 public:
  // Of the worker whose row is `row`: its own bell, the conductor's, and how many permits there are. 0 or -errno.
  int start(LoopHandles& handles, LoopStamp& loopStamp, Board board, int row, int permits, Fd own, Fd conductor);
  void stop();
  void add(std::weak_ptr<WakeListener> listener) { listeners_.push_back(std::move(listener)); }
  void setPeer(int row, Fd bell) { peers_.set(row, std::move(bell)); }

  bool holdsPermit() const { return permit_.held(); }
  // Before an accept: is the permit still ours?
  bool confirmPermit();
  // Give the permit to an idle worker; `mustGo`: when there is none, let the conductor find somebody.
  void passPermit(bool mustGo);
  // We were woken for a connection and cannot take it: somebody else shall.
  void tellOrphaned();
  // This worker could take more again.
  void tellIfWaiting();
  // The same, and it has a place now: where something waits it takes one itself, in the next turn of its loop.
  void takeIfWaiting();

 private:
  void onBell();
  void take(bool held);
  void takeGrants();
  bool isAnyWaiting() const;
  void tellConductor();
  template <typename Call>
  void each(Call call);

  LoopStamp* loopStamp_ = nullptr;
  Board board_;
  Fd own_;
  Fd conductor_;
  Bells peers_;
  Permit permit_;
  // To take a connection without a grant at the next bell.
  bool unasked_ = false;
  LoopHandle<uv_poll_t> poll_;
  std::vector<std::weak_ptr<WakeListener>> listeners_;
};

Napi::Value CreateBell(const Napi::CallbackInfo& info);
Napi::Value StartWake(const Napi::CallbackInfo& info);
Napi::Value SetWakePeer(const Napi::CallbackInfo& info);

}  // namespace drover
