// The watch for the master's death, on a thread of its own: neither a blocked event loop nor the heartbeat's disk may keep an orphan alive.
//
// pidfd_open(2), since Linux 5.3: the thread sleeps until the master dies and wakes nobody before. Without it (-ENOSYS, seccomp) it
// asks getppid(2) twice a second. The pidfd is only the alarm clock: that the master is gone is judged by getppid alone, so a number
// used anew cannot fool it. Not with a parent that is only a wrapper: the pid given must be the real parent's.
#include "parent_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "clock.h"
#include "last_error.h"

namespace drover {

namespace {

constexpr int kPollMs = 500;

// Wait until one of the two is readable, or the time is over. Whether the first is. A signal that this thread gets shortens nothing.
bool stopped(int stop, int parent, int timeoutMs) {
  const uint64_t end = timeoutMs < 0 ? 0 : monotonicNow() + static_cast<uint64_t>(timeoutMs) * 1'000'000;
  for (;;) {
    struct pollfd ends[2] = {{stop, POLLIN, 0}, {parent, POLLIN, 0}};
    if (poll(ends, parent < 0 ? 1 : 2, timeoutMs) >= 0) return ends[0].revents != 0;
    if (errno != EINTR) return false;
    if (timeoutMs < 0) continue;
    const uint64_t now = monotonicNow();
    timeoutMs = now >= end ? 0 : static_cast<int>((end - now + 999'999) / 1'000'000);
  }
}

void watch(int stop, Fd parent, int parentPid, int graceMs, int exitCode) {
  while (getppid() == parentPid) {
    if (stopped(stop, parent.get(), parent.valid() ? -1 : kPollMs)) return;
    // The pidfd rings when the parent dies, a moment before we have another parent: from here on, ask.
    if (getppid() == parentPid) parent.reset();
  }
  if (!stopped(stop, -1, graceMs)) _exit(exitCode);
}

}  // namespace

int ParentWatch::start(int parentPid, int graceMs, int exitCode) {
  stop_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_.valid()) return lastError();
  Fd parent(static_cast<int>(syscall(SYS_pidfd_open, parentPid, 0)));
  return thread_.start("drover:parent", [stop = stop_.get(), parent = std::move(parent), parentPid, graceMs, exitCode]() mutable { watch(stop, std::move(parent), parentPid, graceMs, exitCode); });
}

void ParentWatch::stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  static_cast<void>(!write(stop_.get(), &one, sizeof one));
  thread_.join();
  stop_.reset();
}

}  // namespace drover
