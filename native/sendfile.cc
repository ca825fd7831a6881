// sendfile(2) (Linux 2.6.33 to any descriptor) on the connection's own socket. Not for TLS: the kernel would send plain text.
//
// libuv watches the connection's descriptor already, and refuses a second watcher (EEXIST): a transfer that has to wait polls a duplicate. The
// duplicate also means that bytes can reach no other connection, whatever becomes of the number: who closes the connection must cancel the
// transfer, else it stays open until the transfer has ended.
//
// A page that is not in memory would block the loop for as long as the disk takes. preadv2(RWF_NOWAIT) (Linux 4.14) tells without waiting; such a
// chunk is sent by a thread of libuv's pool. Filesystems that do not know the flag (EOPNOTSUPP) are taken to be in memory, as tmpfs is.
//
// EINVAL (a file without splice, as some of FUSE), ENOSYS and EPERM (a filter of system calls) are for the caller, who then reads and writes. SIGPIPE cannot be held back in
// sendfile(2); Node ignores it in every process.
#include "sendfile.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "args.h"
#include "callback.h"
#include "environment.h"
#include "result.h"

namespace drover {

namespace {
// In one turn of the loop: one large file must not hold up the other connections.
constexpr int64_t kChunk = 1 << 20;
// Distance of the pages that are looked at. The kernel reads ahead at least so much.
constexpr int64_t kProbeStride = 128 << 10;

bool isThere(int file, int64_t offset) {
#ifdef RWF_NOWAIT
  char byte;
  struct iovec into = {&byte, 1};
  return preadv2(file, &into, 1, offset, RWF_NOWAIT) >= 0 || errno != EAGAIN;
#else
  static_cast<void>(file), static_cast<void>(offset);
  return true;
#endif
}

bool isInMemory(int file, int64_t offset, int64_t length) {
  for (int64_t at = 0; at < length; at += kProbeStride) {
    if (!isThere(file, offset + at)) return false;
  }
  return isThere(file, offset + length - 1);
}
}  // namespace

int64_t sendFile(int socket, const FileSpan& span, bool mayBlock) {
  int64_t taken = 0;
  if (!span.head.empty()) {
    ssize_t sent;
    do {
      sent = send(socket, span.head.data(), span.head.size(), MSG_NOSIGNAL | MSG_DONTWAIT | (span.length > 0 ? MSG_MORE : 0));
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return lastError();
    taken = sent;
    if (static_cast<size_t>(sent) < span.head.size()) return taken;
  }
  int64_t left = std::min(span.length, kChunk);
  if (left == 0) return taken;
  const auto end = [&](int error) -> int64_t { return taken > 0 ? taken : error; };
  if (!mayBlock && !isInMemory(span.file, span.offset, left)) return end(-EBUSY);
  off_t offset = span.offset;
  while (left > 0) {
    const ssize_t sent = sendfile(socket, span.file, &offset, static_cast<size_t>(left));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return end(lastError());
    if (sent == 0) return end(-ENODATA);
    taken += sent;
    left -= sent;
  }
  return taken;
}

int FileTransfer::start(int socket, const FileSpan& span) {
  socket_.reset(fcntl(socket, F_DUPFD_CLOEXEC, 0));
  if (!socket_.valid()) return lastError();
  if (span.length > 0) {
    file_.reset(fcntl(span.file, F_DUPFD_CLOEXEC, 0));
    if (!file_.valid()) return lastError();
  }
  head_.assign(span.head.begin(), span.head.end());
  offset_ = span.offset;
  length_ = span.length;
  const int status = poll_.open(handles_, this, [this](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, socket_.get()); });
  if (status == 0) wait();
  return status;
}

void FileTransfer::wait() {
  uv_poll_start(poll_.get(), UV_WRITABLE, [](uv_poll_t* handle, int, int) {
    // JavaScript may drop the transfer while we are in it. An error of the socket is told by the next send.
    const auto self = static_cast<FileTransfer*>(handle->data)->shared_from_this();
    self->loopStamp_.leftPoll();
    self->step();
  });
}

FileSpan FileTransfer::rest() const { return {std::span(head_).subspan(headSent_), file_.get(), offset_, length_}; }

void FileTransfer::step() {
  const int64_t taken = sendFile(socket_.get(), rest(), false);
  if (taken == -EBUSY) {
    uv_poll_stop(poll_.get());
    job_ = {rest(), 0};
    inThread_ = true;
    if (listener_->startThread()) return;
    work();
    worked();
    return;
  }
  account(taken);
}

void FileTransfer::work() { job_.result = sendFile(socket_.get(), job_.span, true); }

void FileTransfer::worked() {
  inThread_ = false;
  if (listener_ == nullptr) {
    socket_.reset();
    file_.reset();
    return;
  }
  wait();
  account(job_.result);
}

void FileTransfer::account(int64_t taken) {
  if (taken == -EAGAIN) return;
  if (taken < 0) {
    end(static_cast<int>(taken));
    return;
  }
  const auto ofHead = std::min<int64_t>(taken, static_cast<int64_t>(head_.size() - headSent_));
  headSent_ += static_cast<size_t>(ofHead);
  offset_ += taken - ofHead;
  length_ -= taken - ofHead;
  sent_ += taken;
  if (headSent_ == head_.size() && length_ == 0) {
    end(0);
  } else {
    listener_->onProgress(sent_);
  }
}

void FileTransfer::end(int error) {
  TransferListener* listener = listener_;
  cancel();
  listener->onEnd(error, sent_);
}

void FileTransfer::cancel() {
  listener_ = nullptr;
  poll_.close();
  // A thread that is in the middle closes them when it is back.
  if (inThread_) return;
  socket_.reset();
  file_.reset();
}

// ---- binding

namespace {

class FileTransferObject final : public Napi::ObjectWrap<FileTransferObject>, public Resource, public TransferListener {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "FileTransfer",
                       {InstanceMethod<&FileTransferObject::start>("start"), InstanceMethod<&FileTransferObject::cancel>("cancel"),
                        InstanceMethod<&FileTransferObject::sent>("sent")});
  }

  explicit FileTransferObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info), environment_(Environment::of(info.Env())), context_(info.Env(), "drover.FileTransfer") {
    transfer_ = std::make_shared<FileTransfer>(environment_.handles, environment_.loopStamp, *this);
    Args args(info);
    const Napi::Function progress = args.function(0);
    const Napi::Function end = args.function(1);
    if (!args.valid()) return;
    onProgress_ = Napi::Persistent(progress);
    onEnd_ = Napi::Persistent(end);
  }
  ~FileTransferObject() { shutDown(); }

  void shutDown() override {
    transfer_->cancel();
    environment_.remove(this);
  }

 private:
  // A transfer in a thread of the pool: outlives the object, if it must.
  struct Work {
    std::shared_ptr<FileTransfer> transfer;
    napi_async_work work = nullptr;
  };

  Napi::Value start(const Napi::CallbackInfo& info) {
    Args args(info);
    const int socket = args.integer(0);
    const FileSpan span{args.bytes(1), args.integer(2), args.wide(3), args.wide(4)};
    if (!args.valid() || span.length < 0 || span.offset < 0) return result(info.Env(), -EINVAL);
    if (started_) return result(info.Env(), -EALREADY);
    // Cancelled before it began, or made of wrong arguments.
    if (onEnd_.IsEmpty()) return result(info.Env(), -EINVAL);
    started_ = true;
    const int status = transfer_->start(socket, span);
    if (status == 0) {
      environment_.add(this);
      held_ = true;
      // The loop knows us now: stay until the end.
      Ref();
    } else {
      transfer_->cancel();
      release();
    }
    return result(info.Env(), status);
  }

  void cancel(const Napi::CallbackInfo&) {
    shutDown();
    release();
  }

  Napi::Value sent(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(transfer_->sent())); }

  // What the callbacks hold, which is as a rule whoever holds us, would never be collected.
  void release() {
    if (std::exchange(held_, false)) Unref();
    onProgress_.Reset();
    onEnd_.Reset();
  }

  void onProgress(int64_t sent) override {
    Napi::HandleScope scope(Env());
    callBack(Env(), context_, Value(), onProgress_.Value(), {Napi::Number::New(Env(), static_cast<double>(sent))});
  }

  void onEnd(int error, int64_t sent) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    const Napi::Object self = Value();  // Alive until the callback is done.
    const Napi::Function callback = onEnd_.Value();
    environment_.remove(this);
    release();
    callBack(env, context_, self, callback, {Napi::Number::New(env, error), Napi::Number::New(env, static_cast<double>(sent))});
  }

  bool startThread() override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    // Hooks of async_hooks run as the work is made.
    if (!mayCall(env)) return false;
    auto work = std::make_unique<Work>(Work{transfer_, nullptr});
    const auto execute = [](napi_env, void* data) { static_cast<Work*>(data)->transfer->work(); };
    const auto complete = [](napi_env env, napi_status, void* data) {
      const std::unique_ptr<Work> work(static_cast<Work*>(data));
      napi_delete_async_work(env, work->work);
      work->transfer->worked();
    };
    if (napi_create_async_work(env, nullptr, Napi::String::New(env, "drover.FileTransfer"), execute, complete, work.get(), &work->work) != napi_ok) return false;
    if (napi_queue_async_work(env, work->work) != napi_ok) {
      napi_delete_async_work(env, work->work);
      return false;
    }
    static_cast<void>(work.release());  // Its completion owns it.
    return true;
  }

  Environment& environment_;
  Napi::AsyncContext context_;
  std::shared_ptr<FileTransfer> transfer_;
  Napi::FunctionReference onProgress_;
  Napi::FunctionReference onEnd_;
  bool started_ = false;
  bool held_ = false;
};

}  // namespace

Napi::Function FileTransferClass(Napi::Env env) { return FileTransferObject::define(env); }

Napi::Value SendFile(const Napi::CallbackInfo& info) {
  Args args(info);
  const int socket = args.integer(0);
  const FileSpan span{args.bytes(1), args.integer(2), args.wide(3), args.wide(4)};
  // What is known to be in memory need not be asked about, which costs a system call each time.
  const bool inMemory = args.flag(5);
  const bool valid = args.valid() && span.length >= 0 && span.offset >= 0;
  return Napi::Number::New(info.Env(), static_cast<double>(valid ? sendFile(socket, span, inMemory) : -EINVAL));
}

}  // namespace drover
