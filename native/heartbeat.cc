// The heartbeat: fchmod(2) on an unlinked file by a thread of its own, each time the event loop has turned since the last beat. The
// master compares the file's ctime. fchmod because it changes ctime on every filesystem, however it is mounted (noatime, nodiratime).
//
// The thread is the point: a file system that hangs for half a minute holds up this thread, and no request. It cannot be joined
// while it hangs; it shares ownership of all it touches and is let go of instead. (The library is linked `nodelete`, so its code stays.)
#include "heartbeat.h"

#include <sys/stat.h>
#include <time.h>

#include <condition_variable>
#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "args.h"
#include "environment.h"
#include "fd.h"
#include "result.h"

namespace drover {

// What loop and thread share; freed by the last of them.
struct Heartbeat::Shared {
  Fd fd;
  uint64_t faultMs = 0;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool turned = false;    // the loop sets, the thread clears
  bool stopping = false;  // the loop sets
  bool beating = false;   // the thread is in the system call
  HeartbeatStats stats;

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
    for (mode_t mode = 0;; mode ^= 1) {
      wake.wait(lock, [this] { return turned || stopping; });
      if (stopping) return;
      turned = false;
      beating = true;
      lock.unlock();
      const uint64_t begin = uv_hrtime();
      beat(mode);
      const uint64_t tookMs = (uv_hrtime() - begin) / 1'000'000;
      lock.lock();
      beating = false;
      stats.beats++;
      stats.longestMs = std::max(stats.longestMs, tookMs);
    }
  }
};

int Heartbeat::start(LoopHandles& handles, int fd, int periodMs, int parentPid, int graceMs, int exitCode) {
  if (periodMs <= 0 || graceMs < 0) return -EINVAL;
  if (shared_ != nullptr) return -EALREADY;
  if (struct stat status; fd >= 0 && fstat(fd, &status) != 0) return lastError();
  if (const int status = timer_.open(handles, this, uv_timer_init); status < 0) return status;
  if (parentPid > 0) {
    if (const int status = parentWatch_.start(parentPid, graceMs, exitCode); status < 0) {
      timer_.close();
      return status;
    }
  }
  shared_ = std::make_shared<Shared>();
  const char* fault = getenv("DROVER_FAULT_FCHMOD_MS");
  if (fault != nullptr) shared_->faultMs = strtoul(fault, nullptr, 10);
  if (fd >= 0) {
    shared_->fd.reset(fd);
    thread_ = std::thread([shared = shared_] { shared->run(); });
  }
  const auto turn = [](uv_timer_t* timer) {
    Shared& shared = *static_cast<Heartbeat*>(timer->data)->shared_;
    if (!shared.fd.valid()) return;
    const std::lock_guard lock(shared.mutex);
    shared.turned = true;
    shared.wake.notify_one();
  };
  uv_timer_start(timer_.get(), turn, 0, static_cast<uint64_t>(periodMs));
  return 0;
}

void Heartbeat::stop() {
  timer_.close();
  parentWatch_.stop();
  if (!thread_.joinable()) return;
  bool hangs = false;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    hangs = shared_->beating;
    shared_->wake.notify_one();
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
  const int periodMs = args.integer(1);
  const int parentPid = args.integer(2);
  const int graceMs = args.integer(3);
  const int exitCode = args.integer(4);
  if (!args.valid()) return result(info.Env(), -EINVAL);
  Environment& environment = Environment::of(info.Env());
  return result(info.Env(), environment.heartbeat.start(environment.handles, fd, periodMs, parentPid, graceMs, exitCode));
}

Napi::Value GetHeartbeatStats(const Napi::CallbackInfo& info) {
  const HeartbeatStats stats = Environment::of(info.Env()).heartbeat.stats();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("beats", static_cast<double>(stats.beats));
  object.Set("longestMs", static_cast<double>(stats.longestMs));
  return object;
}

}  // namespace drover
