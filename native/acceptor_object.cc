// The acceptor as JavaScript has it (NativeAcceptor in src/native.ts): arguments in, numbers out, and the callbacks.
//
// With `wrap` a connection is handed over as Node's own accept does it: its handle is made before the callback scope is entered, so that what it belongs to is
// not the server's async context, and then `onConnection` is called in that, which is the one we were made in. A scope of JavaScript's own inside of ours (AsyncResource) would do,
// too, but Node takes a slow way out of it: it cost a fortieth of the CPU of a connection.
#include "acceptor_object.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "acceptor.h"
#include "args.h"
#include "callback.h"
#include "environment.h"
#include "result.h"

namespace drover {

namespace {

class AcceptorObject final : public Napi::ObjectWrap<AcceptorObject>, public Resource, public AcceptorListener {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Acceptor",
                       {InstanceMethod<&AcceptorObject::arm>("arm"), InstanceMethod<&AcceptorObject::disarm>("disarm"),
                        InstanceMethod<&AcceptorObject::pause>("pause"), InstanceMethod<&AcceptorObject::resume>("resume"),
                        InstanceMethod<&AcceptorObject::hold>("hold"), InstanceMethod<&AcceptorObject::release>("release"),
                        InstanceMethod<&AcceptorObject::recheck>("recheck"),
                        InstanceMethod<&AcceptorObject::setUnattended>("setUnattended"), InstanceMethod<&AcceptorObject::close>("close"),
                        InstanceMethod<&AcceptorObject::fds>("fds"), InstanceMethod<&AcceptorObject::ref>("ref"),
                        InstanceMethod<&AcceptorObject::unref>("unref")});
  }

  explicit AcceptorObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info), environment_(Environment::of(info.Env())) {
    Args args(info);
    const Napi::ArrayBuffer buffer = args.buffer(0);
    const int row = args.integer(1);
    const Napi::Function connection = args.function(2);
    const Napi::Function error = args.function(3);
    const Napi::Function wrap = info[4].IsUndefined() ? Napi::Function() : args.function(4);
    Board board;
    if (args.valid() && row >= 0) {
      board = Board(environment_.mappings.of(buffer), static_cast<size_t>(row));
      onConnection_ = Napi::Persistent(connection);
      onError_ = Napi::Persistent(error);
      if (!wrap.IsEmpty()) wrap_ = Napi::Persistent(wrap);
    }
    // With a resource of Node's own making, which holds what the context is known by on Node 20 and 22 for as long as we live.
    napi_async_init(info.Env(), nullptr, Napi::String::New(info.Env(), "drover.Acceptor"), &context_);
    acceptor_ = std::make_shared<Acceptor>(environment_.handles, environment_.loopStamp, environment_.wake, board, *this);
    // From here on, not from the first socket: an arm() that fails may have opened handles.
    environment_.add(this);
    // No row to count on: an acceptor that is closed from the start.
    if (!board.valid()) acceptor_->abandon();
  }
  ~AcceptorObject() {
    shutDown();
    napi_async_destroy(Env(), context_);
  }

  void shutDown() override {
    acceptor_->abandon();
    environment_.remove(this);
  }

 private:
  Napi::Value arm(const Napi::CallbackInfo& info) {
    Args args(info);
    const int fd = args.integer(0);
    const ArmOptions options{.exclusive = args.flag(1, "exclusive"),
                             .slot = args.integer(1, "slot"),
                             .rotate = args.flag(1, "rotate"),
                             .gate = args.optionalFlag(1, "gate"),
                             .granted = args.optionalFlag(1, "granted"),
                             .permitted = args.optionalFlag(1, "permitted")};
    const int status = args.valid() ? acceptor_->arm(fd, options) : -EINVAL;
    if (status == 0 && !std::exchange(held_, true)) {
      // The loop knows us now: stay until closed.
      Ref();
    }
    return result(info.Env(), status);
  }

  Napi::Value disarm(const Napi::CallbackInfo& info) {
    Args args(info);
    const int fd = args.integer(0);
    const bool drain = args.flag(1);
    return result(info.Env(), args.valid() ? acceptor_->disarm(fd, drain) : -EINVAL);
  }

  void pause(const Napi::CallbackInfo&) { acceptor_->pause(); }
  void resume(const Napi::CallbackInfo&) { acceptor_->resume(); }
  void hold(const Napi::CallbackInfo&) { acceptor_->hold(); }
  void release(const Napi::CallbackInfo&) { acceptor_->release(); }
  void recheck(const Napi::CallbackInfo&) { acceptor_->recheck(); }
  void ref(const Napi::CallbackInfo&) { acceptor_->ref(true); }
  void unref(const Napi::CallbackInfo&) { acceptor_->ref(false); }

  void close(const Napi::CallbackInfo& info) {
    Args args(info);
    acceptor_->close(args.flag(0));
    environment_.remove(this);
    if (std::exchange(held_, false)) Unref();
    // What the callbacks hold, which is as a rule whoever holds us, would never be collected.
    onConnection_.Reset();
    onError_.Reset();
    wrap_.Reset();
  }

  Napi::Value setUnattended(const Napi::CallbackInfo& info) {
    Args args(info);
    const std::vector<int> slots = args.integers(0);
    const std::vector<int> rows = args.integers(1);
    if (!args.valid() || slots.size() != rows.size()) return result(info.Env(), -EINVAL);
    std::vector<Post> posts;
    for (size_t i = 0; i < slots.size(); i++) posts.push_back({slots[i], rows[i]});
    acceptor_->setUnattended(std::move(posts));
    return result(info.Env(), 0);
  }

  Napi::Value fds(const Napi::CallbackInfo& info) {
    const std::vector<int> list = acceptor_->fds();
    Napi::Array array = Napi::Array::New(info.Env(), list.size());
    for (uint32_t i = 0; i < list.size(); i++) array.Set(i, list[i]);
    return array;
  }

  void onConnection(Fd connection, int slot) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    if (!mayCall(env)) return reportException(env);
    // JavaScript, which begins with `wrap`, may close us, and so drop it.
    const Napi::Function callback = onConnection_.Value();
    // Not Napi::Number, which are doubles first.
    napi_value what = nullptr;
    napi_value owner = nullptr;
    napi_create_int32(env, connection.release(), &what);
    napi_create_int32(env, slot, &owner);
    napi_value receiver = nullptr;
    if (wrap_.IsEmpty()) {
      receiver = Value();
    } else {
      receiver = what = wrapped(env, what);
      if (what == nullptr) return;
    }
    enter(env, context_, receiver, callback, {what, owner});
  }

  // What `wrap` makes of a connection; nullptr: nothing to hand over.
  napi_value wrapped(napi_env env, napi_value fd) {
    napi_value made = nullptr;
    if (napi_call_function(env, fd, wrap_.Value(), 1, &fd, &made) != napi_ok) {
      reportException(env);
      return nullptr;
    }
    napi_valuetype type = napi_undefined;
    return napi_typeof(env, made, &type) == napi_ok && type == napi_object ? made : nullptr;
  }

  void onError(int error, int fd) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    callBack(env, context_, Value(), onError_.Value(), {Napi::Number::New(env, error), Napi::Number::New(env, fd)});
  }

  Environment& environment_;
  napi_async_context context_ = nullptr;
  Napi::FunctionReference onConnection_;
  Napi::FunctionReference onError_;
  // Empty: onConnection gets the descriptor.
  Napi::FunctionReference wrap_;
  std::shared_ptr<Acceptor> acceptor_;
  bool held_ = false;
};

}  // namespace

Napi::Function AcceptorClass(Napi::Env env) { return AcceptorObject::define(env); }

}  // namespace drover
