// The conductor: epoll(7) and eventfd(2) (Linux 2.6.27) on a thread of its own in the master, so that what the workers are
// coordinated by does not wait for JavaScript: a master whose loop is blocked for seconds delays no connection.
//
// - It sleeps when all is quiet: no ticks on an idle server. The first connection after that wakes it, at whichever socket: all are in a set of their own, so that the
//   first at each of the others does not. From then on each duty says at a tick when it wants the next one. Only who is due ticks, and who is nearly due with it, so
//   that slow ticks fall together with fast ones and cost no wake-up of their own.
// - One lock: held while duties work, and by JavaScript's thread while it changes what they work on. Nothing under it blocks.
#include "conductor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "clock.h"
#include "last_error.h"

namespace drover {

namespace {
constexpr uint64_t kQuietNs = 1'000'000'000;

void drainCounter(int fd) {
  uint64_t count = 0;
  // Non-blocking; what was written is of no interest.
  static_cast<void>(read(fd, &count, sizeof count));
}

int control(const Fd& epoll, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll.get(), operation, fd, &event) == 0 ? 0 : lastError();
}
}  // namespace

Conductor::~Conductor() {
  stop();
  // Duties let go of what they watch as they end, and of each other: the later ones, which use the earlier, first.
  while (!posts_.empty()) posts_.pop_back();
}

int Conductor::start() {
  if (thread_.joinable()) return -EALREADY;
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return lastError();
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return lastError();
  traffic_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!traffic_.valid()) return lastError();
  if (const int status = control(epoll_, EPOLL_CTL_ADD, wake_.get(), EPOLLIN); status < 0) return status;
  if (const int status = control(epoll_, EPOLL_CTL_ADD, traffic_.get(), EPOLLIN | EPOLLONESHOT); status < 0) return status;
  awaitsTraffic_ = true;
  stopping_ = false;
  return thread_.start("drover:conduct", [this] { run(); });
}

void Conductor::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  tickNow();
  thread_.join();
}

void Conductor::tickNow() {
  if (!wake_.valid()) return;
  const uint64_t one = 1;
  // EAGAIN: the counter is full of wake-ups that have not been seen yet.
  static_cast<void>(write(wake_.get(), &one, sizeof one));
}

void Conductor::add(std::unique_ptr<Duty> duty) {
  change([&] {
    posts_.push_back({.duty = std::move(duty)});
    return 0;
  });
}

void Conductor::remove(const Duty& duty) {
  change([&] { return std::erase_if(posts_, [&](const Post& post) { return post.duty.get() == &duty; }); });
}

int Conductor::watch(int fd, uint32_t events, Duty& duty) {
  if (const int status = control(epoll_, EPOLL_CTL_ADD, fd, events); status < 0) return status;
  watched_[fd] = &duty;
  return 0;
}

void Conductor::unwatch(int fd) {
  if (watched_.erase(fd) > 0) control(epoll_, EPOLL_CTL_DEL, fd, 0);
}

int Conductor::watchTraffic(int fd) { return control(traffic_, EPOLL_CTL_ADD, fd, EPOLLIN); }

void Conductor::unwatchTraffic(int fd) { control(traffic_, EPOLL_CTL_DEL, fd, 0); }

// What waits already counts: arming looks.
void Conductor::awaitTraffic() {
  if (!std::exchange(awaitsTraffic_, true)) control(epoll_, EPOLL_CTL_MOD, traffic_.get(), EPOLLIN | EPOLLONESHOT);
}

void Conductor::run() {
  std::array<epoll_event, 64> events;
  int timeoutMs = -1;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeoutMs);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    // Asleep with no tick to come: whatever has happened may be a reason for all of them.
    bool all = nextTick_ == 0 && count > 0;
    for (int i = 0; i < count; i++) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == wake_.get()) {
        drainCounter(fd);
        all = true;
      } else if (fd == traffic_.get()) {
        lastTraffic_ = monotonicNow();
        awaitsTraffic_ = false;
        all = true;
      } else if (const auto found = watched_.find(fd); found != watched_.end()) {
        lastTraffic_ = monotonicNow();
        found->second->onReady(fd);
        for (Post& post : posts_) post.ready |= post.duty.get() == found->second;
      }
    }
    // Read after the duties have read it: time does not go back for them.
    const uint64_t now = monotonicNow();
    tick(now, all);
    // Rounded up: a tick that comes too early would only come twice.
    const uint64_t left = nextTick_ > now ? nextTick_ - now : 0;
    timeoutMs = nextTick_ == 0 ? -1 : static_cast<int>((left + 999'999) / 1'000'000);
  }
}

// Of those that are due, or all.
void Conductor::tick(uint64_t now, bool all) {
  const bool timed = nextTick_ != 0 && now >= nextTick_;
  const auto isDue = [&](const Post& post) { return all || post.ready || (timed && post.due != 0 && now + post.everyNs / 2 >= post.due); };
  // When the time has come but not for anybody (who it was for is gone), there is still the next time to be found.
  if (!timed && std::none_of(posts_.begin(), posts_.end(), isDue)) return;
  ticks_.fetch_add(1, std::memory_order_relaxed);
  const bool traffic = trafficSince(now);
  nextTick_ = 0;
  for (Post& post : posts_) {
    if (isDue(post)) {
      post.ready = false;
      post.everyNs = static_cast<uint64_t>(post.duty->onTick(now, traffic)) * 1'000'000;
      post.due = post.everyNs == 0 ? 0 : now + post.everyNs;
    }
    if (post.due != 0) nextTick_ = nextTick_ == 0 ? post.due : std::min(nextTick_, post.due);
  }
  // Not before: something may wait for long, and then arming ends the sleep at once.
  if (!traffic) awaitTraffic();
}

bool Conductor::trafficSince(uint64_t now) {
  uint64_t accepted = 0;
  for (BoardRow& row : board_.rows()) accepted += load(row.accepted);
  if (accepted != accepted_) lastTraffic_ = now;
  accepted_ = accepted;
  return lastTraffic_ != 0 && now - lastTraffic_ < kQuietNs;
}

}  // namespace drover
