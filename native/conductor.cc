// The conductor: epoll(7), eventfd(2) (Linux 2.6.27) and timerfd_create(2) (2.6.25) on a thread of its own in the master, so that what the workers are
// coordinated by does not wait for JavaScript: a master whose loop is blocked for seconds delays no connection.
//
// - It sleeps when all is quiet: no ticks on an idle server. Duties watch descriptors for the first sign of traffic; while connections have been
//   accepted within the last second, or a duty asks for it, a timer ticks every kTickMs.
// - One lock: held while duties work, and by JavaScript's thread while it changes what they work on. Nothing under it blocks.
#include "conductor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>

#include "clock.h"
#include "result.h"

namespace drover {

namespace {
constexpr uint64_t kTickMs = 5;
constexpr uint64_t kQuietNs = 1'000'000'000;

void drainCounter(int fd) {
  uint64_t count = 0;
  // Non-blocking; what was written is of no interest.
  static_cast<void>(read(fd, &count, sizeof count));
}
}  // namespace

Conductor::~Conductor() {
  stop();
  // Duties let go of what they watch as they end, and of each other: the later ones, which use the earlier, first.
  while (!duties_.empty()) duties_.pop_back();
}

int Conductor::start() {
  if (thread_.joinable()) return -EALREADY;
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return lastError();
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return lastError();
  timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_.valid()) return lastError();
  for (const int fd : {wake_.get(), timer_.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return lastError();
  }
  stopping_ = false;
  thread_ = std::thread([this] { run(); });
  return 0;
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
    duties_.push_back(std::move(duty));
    return 0;
  });
}

void Conductor::remove(const Duty& duty) {
  const std::lock_guard lock(mutex_);
  std::erase_if(duties_, [&](const auto& each) { return each.get() == &duty; });
}

int Conductor::watch(int fd, uint32_t events, Duty& duty) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  const int operation = watched_.contains(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return lastError();
  watched_[fd] = &duty;
  return 0;
}

void Conductor::unwatch(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Conductor::run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    for (int i = 0; i < count; i++) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == wake_.get() || fd == timer_.get()) {
        drainCounter(fd);
      } else if (const auto found = watched_.find(fd); found != watched_.end()) {
        lastTraffic_ = monotonicNow();
        found->second->onReady(fd);
      }
    }
    if (count > 0) tick(monotonicNow());
  }
}

void Conductor::tick(uint64_t now) {
  ticks_.fetch_add(1, std::memory_order_relaxed);
  bool more = trafficSince(now);
  for (const auto& duty : duties_) more |= duty->onTick(now);
  if (!more && ticking_) {
    for (const auto& duty : duties_) duty->onQuiet();
  }
  setTicking(more);
}

bool Conductor::trafficSince(uint64_t now) {
  uint64_t accepted = 0;
  for (BoardRow& row : board_.rows()) accepted += load(row.accepted);
  if (accepted != accepted_) lastTraffic_ = now;
  accepted_ = accepted;
  return lastTraffic_ != 0 && now - lastTraffic_ < kQuietNs;
}

void Conductor::setTicking(bool on) {
  if (on == ticking_) return;
  ticking_ = on;
  const long interval = on ? static_cast<long>(kTickMs * 1'000'000) : 0;
  const itimerspec timer = {{0, interval}, {0, interval}};
  timerfd_settime(timer_.get(), 0, &timer, nullptr);
}

}  // namespace drover
