// The channel as JavaScript has it: messages with their descriptors, each the receiver's to close.
#include "channel_object.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "args.h"
#include "callback.h"
#include "channel.h"
#include "environment.h"
#include "result.h"

namespace drover {

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
    // Ended while it waited: its descriptors are nobody's.
    if (!mayCall(env)) return result(env, -EPIPE);
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

  // What the callbacks hold, which is as a rule whoever holds us, would never be collected.
  void release() {
    if (std::exchange(started_, false)) Unref();
    onMessage_.Reset();
    onClose_.Reset();
  }

  void onMessage(Message& message) override {
    environment_.loopStamp.leftPoll();
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
    const Napi::Function callback = onClose_.Value();
    environment_.remove(this);
    release();
    callBack(env, context_, self, callback, {Napi::Number::New(env, error)});
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
