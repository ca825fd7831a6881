// The channel: messages in order over one SOCK_SEQPACKET end, polled through libuv, without keeping the loop alive.
//
// What the socket has no room for waits here, in order, at most 1,024 messages; a channel nobody `start`s still sends. Not for many
// receivers of one socket, and not from several threads.
#include "channel.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "last_error.h"

namespace drover {

namespace {
constexpr size_t kMaxWaiting = 1024;
// Messages read in one turn of the loop: the channel must not starve the connections.
constexpr int kMessagesPerTurn = 64;

int64_t nowMs() { return static_cast<int64_t>(uv_hrtime() / 1'000'000); }
}  // namespace

Channel::Channel(LoopHandles& handles, ReceiveBuffer& buffer, ChannelListener& listener, int fd)
    : handles_(handles), buffer_(buffer), listener_(listener) {
  if (prepareEnd(fd) == 0) fd_.reset(fd);
}

int Channel::openPoll() {
  if (poll_) return 0;
  const int status = poll_.open(handles_, this, [this](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, fd_.get()); });
  if (status == 0) ref(ref_);
  return status;
}

// Poll for what we can use now: reading once started, writing while something waits.
void Channel::poll() {
  if (!poll_) return;
  const int events = (started_ ? UV_READABLE : 0) | (waiting_.empty() ? 0 : UV_WRITABLE);
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    uv_poll_stop(poll_.get());
    return;
  }
  uv_poll_start(poll_.get(), events, [](uv_poll_t* handle, int status, int ready) {
    // JavaScript may drop the channel while we are in it.
    const auto self = static_cast<Channel*>(handle->data)->shared_from_this();
    self->onReady(status, ready);
  });
}

int Channel::start() {
  if (!open()) return -EBADF;
  if (const int status = openPoll(); status < 0) return status;
  started_ = true;
  poll();
  return 0;
}

void Channel::onReady(int status, int events) {
  if (status < 0) {
    // libuv has stopped the handle (POLLERR: the peer died with messages unread); what it sent is still to be read.
    events_ = 0;
    events = UV_READABLE | UV_WRITABLE;
    uv_poll_stop(poll_.get());
  }
  if ((events & UV_WRITABLE) != 0 && !waiting_.empty()) {
    const int error = flush();
    if (error < 0 && error != -EAGAIN && error != -EPIPE) {
      end(error);
      return;
    }
  }
  if ((events & UV_READABLE) != 0 && started_) read();
  if (open()) poll();
}

void Channel::read() {
  for (int i = 0; i < kMessagesPerTurn && open(); i++) {
    Message message;
    const int got = receiveMessage(fd_.get(), buffer_.bytes(), message);
    if (got == -EAGAIN) return;
    if (got <= 0) {
      end(got);
      return;
    }
    listener_.onMessage(message);
  }
}

// The channel is over by itself: close first, so that nothing polls a dead socket, then say so.
void Channel::end(int error) {
  const bool tell = started_;
  close();
  if (tell) listener_.onClose(error);
}

// Send what waits, as far as there is room.
int Channel::flush() {
  while (!waiting_.empty()) {
    const Waiting& next = waiting_.front();
    std::vector<int> fds;
    for (const Fd& fd : next.fds) fds.push_back(fd.get());
    const int status = sendMessage(fd_.get(), next.text, fds);
    if (status == -EPIPE) {
      // Nobody will read them. The reading side hears of the end after the peer's last words.
      peerGone_ = true;
      waiting_.clear();
    }
    if (status < 0) return status;
    waiting_.pop_front();
  }
  return 0;
}

int Channel::send(std::string_view text, std::span<const int> fds) {
  if (!open()) return -EBADF;
  if (peerGone_) return -EPIPE;
  // Checked here, as a message that waits can't be refused any more.
  if (text.size() > kMaxMessageBytes) return -EMSGSIZE;
  if (text.empty() || fds.size() > kMaxMessageFds) return -EINVAL;
  if (waiting_.empty()) {
    const int status = sendMessage(fd_.get(), text, fds);
    if (status == -EPIPE) peerGone_ = true;
    if (status != -EAGAIN) return status;
  }
  if (waiting_.size() >= kMaxWaiting) return -ENOBUFS;
  Waiting message{std::string(text), {}};
  for (const int fd : fds) {
    message.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!message.fds.back().valid()) return lastError();
  }
  if (const int status = openPoll(); status < 0) return status;
  waiting_.push_back(std::move(message));
  poll();
  return 0;
}

// Block until one of `events` or the deadline: > 0, 0 on time-out, -errno.
int Channel::wait(short events, int64_t deadlineMs) {
  for (;;) {
    struct pollfd end = {fd_.get(), events, 0};
    const int64_t left = std::max<int64_t>(0, deadlineMs - nowMs());
    const int ready = ::poll(&end, 1, static_cast<int>(std::min<int64_t>(left, INT32_MAX)));
    if (ready >= 0) return ready;
    if (errno != EINTR) return lastError();
  }
}

int Channel::sendSync(std::string_view text, int timeoutMs) {
  if (!open()) return -EBADF;
  const int64_t deadline = nowMs() + timeoutMs;
  for (;;) {
    int status = flush();
    if (status == 0) status = peerGone_ ? -EPIPE : sendMessage(fd_.get(), text, {});
    if (status != -EAGAIN) {
      poll();
      return status;
    }
    const int ready = wait(POLLOUT, deadline);
    if (ready <= 0) return ready == 0 ? -ETIMEDOUT : ready;
  }
}

int Channel::receiveSync(int timeoutMs, Message& message) {
  if (!open()) return -EBADF;
  const int64_t deadline = nowMs() + timeoutMs;
  for (;;) {
    // The answer may be to a message that still waits here, and no loop turns while we block.
    if (!waiting_.empty()) {
      const int status = flush();
      if (status < 0 && status != -EAGAIN && status != -EPIPE) return status;
      poll();
    }
    const int got = receiveMessage(fd_.get(), buffer_.bytes(), message);
    if (got == 0) return -EPIPE;
    if (got != -EAGAIN) return got;
    const int ready = wait(static_cast<short>(POLLIN | (waiting_.empty() ? 0 : POLLOUT)), deadline);
    if (ready <= 0) return ready;
  }
}

void Channel::ref(bool on) {
  ref_ = on;
  if (!poll_) return;
  if (on) {
    uv_ref(poll_.generic());
  } else {
    uv_unref(poll_.generic());
  }
}

void Channel::close() {
  if (!open()) return;
  if (!waiting_.empty()) flush();
  waiting_.clear();
  // Stops polling at once: the kernel forgets the descriptor before it is closed.
  poll_.close();
  fd_.reset();
}

}  // namespace drover
