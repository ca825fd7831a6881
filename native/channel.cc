// The channel: messages in order over one SOCK_SEQPACKET end, polled through libuv, without keeping the loop alive.
//
// What the socket has no room for waits here, in order, at most 1,024 messages; a channel nobody `start`s still sends. Not for many
// receivers of one socket, and not from several threads.
#include "channel.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>

#include "args.h"
#include "callback.h"
#include "environment.h"
#include "result.h"

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

// ---- binding

namespace {

Napi::Array numbers(Napi::Env env, const std::vector<Fd>& fds) {
  Napi::Array array = Napi::Array::New(env, fds.size());
  for (uint32_t i = 0; i < fds.size(); i++) array.Set(i, fds[i].get());
  return array;
}

void handOver(std::vector<Fd>& fds) {
  for (Fd& fd : fds) static_cast<void>(fd.release());
}

class ChannelObject final : public Napi::ObjectWrap<ChannelObject>, public Resource, public ChannelListener {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Channel",
                       {InstanceMethod<&ChannelObject::start>("start"), InstanceMethod<&ChannelObject::send>("send"),
                        InstanceMethod<&ChannelObject::sendSync>("sendSync"), InstanceMethod<&ChannelObject::receiveSync>("receiveSync"),
                        InstanceMethod<&ChannelObject::ref>("ref"), InstanceMethod<&ChannelObject::unref>("unref"),
                        InstanceMethod<&ChannelObject::close>("close")});
  }

  explicit ChannelObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info), environment_(Environment::of(info.Env())), context_(info.Env(), "drover.Channel") {
    Args args(info);
    const int fd = args.integer(0);
    channel_ = std::make_shared<Channel>(environment_.handles, environment_.receiveBuffer, *this, args.valid() ? fd : -1);
    if (channel_->open()) environment_.add(this);
  }
  ~ChannelObject() { shutDown(); }

  void shutDown() override {
    channel_->close();
    environment_.remove(this);
  }

 private:
  Napi::Value start(const Napi::CallbackInfo& info) {
    Args args(info);
    const Napi::Function message = args.function(0);
    const Napi::Function close = args.function(1);
    if (!args.valid() || started_) return result(info.Env(), args.valid() ? -EALREADY : -EINVAL);
    const int status = channel_->start();
    if (status == 0) {
      onMessage_ = Napi::Persistent(message);
      onClose_ = Napi::Persistent(close);
      started_ = true;
      // The loop knows us now: stay until closed.
      Ref();
    }
    return result(info.Env(), status);
  }

  Napi::Value send(const Napi::CallbackInfo& info) {
    Args args(info);
    const std::string text = args.text(0);
    const std::vector<int> fds = args.integers(1);
    return result(info.Env(), args.valid() ? channel_->send(text, fds) : -EINVAL);
  }

  Napi::Value sendSync(const Napi::CallbackInfo& info) {
    Args args(info);
    const std::string text = args.text(0);
    const int timeoutMs = args.integer(1);
    return result(info.Env(), args.valid() ? channel_->sendSync(text, timeoutMs) : -EINVAL);
  }

  Napi::Value receiveSync(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Args args(info);
    const int timeoutMs = args.integer(0);
    Message message;
    const int got = args.valid() ? channel_->receiveSync(timeoutMs, message) : -EINVAL;
    if (got <= 0) return result(env, got);
    Napi::Object object = Napi::Object::New(env);
    object.Set("text", Napi::String::New(env, message.text.data(), message.text.size()));
    object.Set("fds", numbers(env, message.fds));
    handOver(message.fds);
    return object;
  }

  void ref(const Napi::CallbackInfo&) { channel_->ref(true); }
  void unref(const Napi::CallbackInfo&) { channel_->ref(false); }
  void close(const Napi::CallbackInfo&) {
    shutDown();
    release();
  }

  void release() {
    if (std::exchange(started_, false)) Unref();
  }

  void onMessage(Message& message) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    const napi_value text = Napi::String::New(env, message.text.data(), message.text.size());
    const napi_value fds = numbers(env, message.fds);
    if (callBack(env, context_, Value(), onMessage_.Value(), {text, fds})) handOver(message.fds);
  }

  void onClose(int error) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    const Napi::Object self = Value();  // Alive until the callback is done.
    environment_.remove(this);
    release();
    callBack(env, context_, self, onClose_.Value(), {Napi::Number::New(env, error)});
  }

  Environment& environment_;
  Napi::AsyncContext context_;
  std::shared_ptr<Channel> channel_;
  Napi::FunctionReference onMessage_;
  Napi::FunctionReference onClose_;
  bool started_ = false;
};

}  // namespace

Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Fd one;
  Fd other;
  const int status = socketPair(one, other);
  if (status < 0) return result(env, status);
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, one.release());
  pair.Set(1u, other.release());
  return pair;
}

Napi::Function ChannelClass(Napi::Env env) { return ChannelObject::define(env); }

}  // namespace drover
