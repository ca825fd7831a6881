// The heartbeat: fchmod(2) on an unlinked file by a thread of its own, each time the event loop has turned since the last beat. The
// master compares the file's ctime. fchmod because it changes ctime on every filesystem, however it is mounted (noatime, nodiratime).
//
// The thread is the point: a file system that hangs for half a minute holds up this thread, and no request. It cannot be joined
// while it hangs; it shares ownership of all it touches and is let go of instead. (The library is linked `nodelete`, so its code stays.)
//
// Whether the loop has turned the thread reads off the board, where the loop stamp counts; a handle of our own for it, called every turn, is there only without.
//
// Thread and loop have a clock each and never wait for, or wake, each other: an idle worker wakes once per beat for the one and once per turn for the
// other. (The loop waking the thread cost two more: woken under the lock, it went to sleep again on the lock.)
#include "heartbeat.h"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "args.h"
#include "environment.h"
#include "fd.h"
#include "result.h"

namespace drover {

// What loop and thread share; freed by the last of them.
struct Heartbeat::Shared {
  Fd fd;
  std::chrono::milliseconds period{0};
  uint64_t faultMs = 0;
  // The loop counts, whichever it is; only the thread looks. Not valid: it is `ownTurns`.
  Board board;
  std::atomic<uint64_t> ownTurns = 1;
  uint64_t turnsSeen = 0;

  mutable std::mutex mutex;
  std::condition_variable stop;
  bool stopping = false;  // the loop sets
  bool beating = false;   // the thread is in the system call
  HeartbeatStats stats;

  bool hasTurned() {
    const uint64_t turns = board.valid() ? load(board.own().loopTurns) + 1 : ownTurns.load(std::memory_order_relaxed);
    return std::exchange(turnsSeen, turns) != turns;
  }

  void beat(mode_t mode) const {
    // Fault injection for tests: a disk that takes this long.
    if (faultMs > 0) {
      const struct timespec pause = {static_cast<time_t>(faultMs / 1000), static_cast<long>(faultMs % 1000) * 1'000'000};
      nanosleep(&pause, nullptr);
    }
    // A failure (EROFS, EIO) shows as a file that stands still, which is what the master judges by.
    static_cast<void>(fchmod(fd.get(), mode));
  }

  void run() {
    std::unique_lock lock(mutex);
    // Not even once where the loop ends before this thread has begun: stop() joins a thread that is not seen beating.
    for (mode_t mode = 0; !stopping;) {
      if (hasTurned()) {
        beating = true;
        lock.unlock();
        const uint64_t begin = uv_hrtime();
        beat(mode);
        const uint64_t tookMs = (uv_hrtime() - begin) / 1'000'000;
        mode ^= 1;
        lock.lock();
        beating = false;
        stats.beats++;
        stats.longestMs = std::max(stats.longestMs, tookMs);
      }
      stop.wait_for(lock, period, [this] { return stopping; });
    }
  }
};

int Heartbeat::start(LoopHandles& handles, const LoopStamp& loopStamp, int fd, const HeartbeatOptions& options) {
  if (options.beatMs <= 0 || options.turnMs <= 0 || options.graceMs < 0) return -EINVAL;
  if (shared_ != nullptr) return -EALREADY;
  if (struct stat status; fd >= 0 && fstat(fd, &status) != 0) return lastError();
  if (const int status = timer_.open(handles, this, uv_timer_init); status < 0) return status;
  if (const int status = check_.open(handles, this, uv_check_init); status < 0) {
    timer_.close();
    return status;
  }
  if (options.parentPid > 0) {
    if (const int status = parentWatch_.start(options.parentPid, options.graceMs, options.exitCode); status < 0) {
      timer_.close();
      check_.close();
      return status;
    }
  }
  shared_ = std::make_shared<Shared>();
  const char* fault = getenv("DROVER_FAULT_FCHMOD_MS");
  if (fault != nullptr) shared_->faultMs = strtoul(fault, nullptr, 10);
  // That it fires is all: it turns a loop that has nothing else to do.
  uv_timer_start(timer_.get(), [](uv_timer_t*) {}, 0, static_cast<uint64_t>(options.turnMs));
  if (fd < 0) return 0;
  shared_->fd.reset(fd);
  shared_->period = std::chrono::milliseconds(options.beatMs);
  shared_->board = loopStamp.board();
  if (!shared_->board.valid()) uv_check_start(check_.get(), [](uv_check_t* check) { static_cast<Heartbeat*>(check->data)->shared_->ownTurns.fetch_add(1, std::memory_order_relaxed); });
  const int status = thread_.start("drover:beat", [shared = shared_] { shared->run(); });
  if (status == 0) return 0;
  // The caller's again.
  static_cast<void>(shared_->fd.release());
  stop();
  shared_.reset();
  return status;
}

void Heartbeat::stop() {
  timer_.close();
  check_.close();
  parentWatch_.stop();
  if (!thread_.joinable()) return;
  bool hangs = false;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    hangs = shared_->beating;
    shared_->stop.notify_one();
  }
  if (hangs) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

HeartbeatStats Heartbeat::stats() const {
  if (shared_ == nullptr) return {};
  const std::lock_guard lock(shared_->mutex);
  return shared_->stats;
}

Napi::Value StartHeartbeat(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  const HeartbeatOptions options{.beatMs = args.integer(1), .turnMs = args.integer(2), .parentPid = args.integer(3), .graceMs = args.integer(4), .exitCode = args.integer(5)};
  if (!args.valid()) return result(info.Env(), -EINVAL);
  Environment& environment = Environment::of(info.Env());
  return result(info.Env(), environment.heartbeat.start(environment.handles, environment.loopStamp, fd, options));
}

Napi::Value GetHeartbeatStats(const Napi::CallbackInfo& info) {
  const HeartbeatStats stats = Environment::of(info.Env()).heartbeat.stats();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("beats", static_cast<double>(stats.beats));
  object.Set("longestMs", static_cast<double>(stats.longestMs));
  return object;
}

}  // namespace drover
