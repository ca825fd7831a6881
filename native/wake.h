// The bell of a worker, and the bells of the others. See wake.cc.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "board.h"
#include "fd.h"
#include "loop_handle.h"
#include "loop_stamp.h"
#include "permit.h"

namespace drover {

// Bells by row of the board.
class Bells {
 public:
  // Takes the descriptor; one that is not valid takes the row's bell away.
  void set(int row, Fd bell);
  bool has(int row) const { return bells_.contains(row); }
  void ring(int row) const;

 private:
  std::unordered_map<int, Fd> bells_;
};

// Who accepts when the bell rings.
class WakeListener {
 public:
  virtual ~WakeListener() = default;
  // Accept one granted connection, if there is one.
  virtual bool takeGranted() = 0;
  // Is more queued where the conductor cannot count (unix sockets)?
  virtual bool seesMore() = 0;
  // We have a permit now, or no longer.
  virtual void permitChanged() = 0;
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
  // This worker could take more again.
  void tellIfWaiting();

 private:
  void onBell();
  void takeGrants();
  void tellConductor();
  template <typename Call>
  void each(Call call);

  LoopStamp* loopStamp_ = nullptr;
  Board board_;
  Fd own_;
  Fd conductor_;
  Bells peers_;
  Permit permit_;
  LoopHandle<uv_poll_t> poll_;
  std::vector<std::weak_ptr<WakeListener>> listeners_;
};

Napi::Value CreateBell(const Napi::CallbackInfo& info);
Napi::Value StartWake(const Napi::CallbackInfo& info);
Napi::Value SetWakePeer(const Napi::CallbackInfo& info);

}  // namespace drover
