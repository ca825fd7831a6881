// The conductor: a thread of the master that runs no JavaScript. See conductor.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "board.h"
#include "fd.h"
#include "thread.h"

namespace drover {

// One thing the conductor does, on its thread and with its lock held. Everything in it is quick: no call that can block.
class Duty {
 public:
  virtual ~Duty() = default;
  // A descriptor that was watched for this duty is ready; a tick of this duty follows at once.
  virtual void onReady(int /*fd*/) {}
  // A tick, `now` in CLOCK_MONOTONIC nanoseconds; `traffic`: connections have come within the last second. In how many milliseconds the duty
  // wants to be called again at the latest; 0: not before something happens.
  virtual int onTick(uint64_t now, bool traffic) = 0;
};

class Conductor {
 public:
  explicit Conductor(Board board) : board_(board) {}
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;
  ~Conductor();

  // 0 or -errno.
  int start();
  // Joins the thread. Idempotent.
  void stop();
  // A descriptor to wake the conductor by: write(2) eight bytes, as to any eventfd. -1 before start().
  int wakeFd() const { return wake_.get(); }

  // For the thread that owns us. `change` runs with the lock held; the conductor then ticks at once.
  void add(std::unique_ptr<Duty> duty);
  void remove(const Duty& duty);
  // Something the duties go by has changed: all tick once.
  void tickNow();
  // Ticks done so far, of whichever duty. An idle server does none.
  uint64_t ticks() const { return ticks_.load(std::memory_order_relaxed); }
  template <typename Change>
  auto change(Change&& change) {
    auto answer = [&] {
      const std::lock_guard lock(mutex_);
      return change();
    }();
    tickNow();
    return answer;
  }

  // For duties, lock held. `events` as of epoll_ctl(2). 0 or -errno.
  int watch(int fd, uint32_t events, Duty& duty);
  void unwatch(int fd);
  // A listening socket whose first connection after a quiet time is a reason for all duties to tick. Who watches one wants a next tick as long as there is
  // traffic: the quiet time begins at a tick. 0 or -errno.
  int watchTraffic(int fd);
  void unwatchTraffic(int fd);
  Board& board() { return board_; }

 private:
  // A duty, and when it wants to be called again.
  struct Post {
    std::unique_ptr<Duty> duty;
    // In CLOCK_MONOTONIC nanoseconds; 0: not before something happens.
    uint64_t due = 0;
    uint64_t everyNs = 0;
    // Something it watches was ready in this round.
    bool ready = false;
  };
  void run();
  void tick(uint64_t now, bool all);
  bool trafficSince(uint64_t now);
  void awaitTraffic();

  Board board_;
  std::mutex mutex_;
  Thread thread_;
  Fd epoll_;
  Fd wake_;
  // An epoll set of all that watchTraffic() was told, itself in epoll_: once for each quiet time.
  Fd traffic_;
  bool awaitsTraffic_ = false;
  bool stopping_ = false;
  // When the first of the duties is due; 0: none is.
  uint64_t nextTick_ = 0;
  std::atomic<uint64_t> ticks_ = 0;
  uint64_t accepted_ = 0;
  uint64_t lastTraffic_ = 0;
  std::vector<Post> posts_;
  std::unordered_map<int, Duty*> watched_;
};

}  // namespace drover
