// The reader of PROXY headers: takes a connection that was just accepted, and gives it back with its header read and not one byte behind it.
// recv(2) with MSG_PEEK, any kernel; on TCP and on unix stream sockets.
//
// - Nearly always the header is there already, or comes with the connection's first packet: one look at once, without the event loop.
// - While a header is incomplete, all that has come belongs to it, and is read: peeking alone would leave the descriptor readable, and level-triggered
//   polling would spin. The read that completes it takes just the bytes that are missing.
// - So a byte of a header costs its sender a packet and us at most one turn of the loop; and there are at most 4096 of them.
// - Who waits has until its deadline. When the loop was busy meanwhile its header may be there by then: it is looked at a last time.
// - Too many that wait: the one that has waited longest goes. A flood of half headers cannot keep out who sends whole ones.
#include "proxy_reader.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <span>
#include <utility>

#include "args.h"
#include "callback.h"
#include "environment.h"
#include "result.h"

namespace drover {

namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

// Whether so many bytes were there, which a peek has shown, and are read.
bool consume(int fd, uint8_t* bytes, size_t count) {
  while (count > 0) {
    const ssize_t read = recv(fd, bytes, count, MSG_DONTWAIT);
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return false;
    bytes += read;
    count -= static_cast<size_t>(read);
  }
  return true;
}

ProxyOutcome outcomeOf(ProxyStatus status) {
  switch (status) {
    case ProxyStatus::kWhole:
      return ProxyOutcome::kWhole;
    case ProxyStatus::kMore:
      return ProxyOutcome::kWaiting;
    case ProxyStatus::kMissing:
      return ProxyOutcome::kMissing;
    case ProxyStatus::kOtherVersion:
      return ProxyOutcome::kOtherVersion;
    case ProxyStatus::kMalformed:
      break;
  }
  return ProxyOutcome::kMalformed;
}

// Reads on: `head` is what has been read of the header. Never kLate or kCrowded.
ProxyOutcome readHeader(int fd, ProxyVersion version, std::vector<uint8_t>& head, ProxyHeader& header) {
  for (;;) {
    std::array<uint8_t, 512> chunk;
    const ssize_t peeked = recv(fd, chunk.data(), chunk.size(), MSG_PEEK | MSG_DONTWAIT);
    if (peeked < 0 && errno == EINTR) continue;
    if (peeked < 0 && errno == EAGAIN) return ProxyOutcome::kWaiting;
    if (peeked <= 0) return head.empty() ? ProxyOutcome::kEmpty : ProxyOutcome::kBrokenOff;

    const size_t before = head.size();
    const auto fresh = std::span(chunk).first(static_cast<size_t>(peeked));
    if (before > 0) head.insert(head.end(), fresh.begin(), fresh.end());
    header = parseProxyHeader(before > 0 ? std::span<const uint8_t>(head) : fresh, version);
    const ProxyOutcome outcome = outcomeOf(header.status);
    if (outcome != ProxyOutcome::kWhole && outcome != ProxyOutcome::kWaiting) return outcome;
    if (!consume(fd, chunk.data(), outcome == ProxyOutcome::kWhole ? header.length - before : fresh.size())) return ProxyOutcome::kBrokenOff;
    if (outcome == ProxyOutcome::kWhole) return outcome;
    if (before == 0) head.assign(fresh.begin(), fresh.end());
  }
}

}  // namespace

struct ProxyReader::Waiting {
  ProxyReader& reader;
  Fd fd;
  std::vector<uint8_t> head;
  uint64_t deadline;
  LoopHandle<uv_poll_t> poll;
  std::list<Waiting>::iterator self;
};

ProxyReader::ProxyReader(LoopHandles& handles, LoopStamp& loopStamp, const ProxyLimits& limits, ProxyListener& listener)
    : handles_(handles), loopStamp_(loopStamp), limits_(limits), listener_(listener) {}

ProxyOutcome ProxyReader::take(Fd& connection, ProxyHeader& header) {
  std::vector<uint8_t> head;
  ProxyOutcome outcome = closed_ ? ProxyOutcome::kCrowded : readHeader(connection.get(), limits_.version, head, header);
  if (outcome == ProxyOutcome::kWaiting && !wait(connection, head)) outcome = ProxyOutcome::kBrokenOff;
  if (outcome != ProxyOutcome::kWhole) connection.reset();
  return outcome;
}

// False when it cannot be polled.
bool ProxyReader::wait(Fd& connection, std::vector<uint8_t>& head) {
  if (!timer_ && timer_.open(handles_, this, uv_timer_init) < 0) return false;
  LoopHandle<uv_poll_t> poll;
  const int fd = connection.get();
  if (poll.open(handles_, nullptr, [fd](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, fd); }) < 0) return false;
  if (waiting_.size() >= limits_.waiting) {
    const int crowded = waiting_.front().fd.get();
    drop(waiting_.front()).reset();
    listener_.onRefused(crowded, ProxyOutcome::kCrowded, nullptr);
    if (closed_) return false;
  }
  const uint64_t deadline = uv_hrtime() + static_cast<uint64_t>(limits_.timeoutMs) * kNsPerMs;
  Waiting& waiting = waiting_.emplace_back(Waiting{*this, std::move(connection), std::move(head), deadline, std::move(poll), {}});
  waiting.self = std::prev(waiting_.end());
  waiting.poll.get()->data = &waiting;
  // An open connection keeps the loop alive.
  uv_ref(waiting.poll.generic());
  uv_poll_start(waiting.poll.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* ready = static_cast<Waiting*>(handle->data);
    ready->reader.loopStamp_.leftPoll();
    ready->reader.look(*ready, false);
  });
  if (waiting_.size() == 1) startTimer();
  return true;
}

// The loop lets go of it before it is closed or handed on.
Fd ProxyReader::drop(Waiting& waiting) {
  Fd fd = std::move(waiting.fd);
  waiting_.erase(waiting.self);
  if (waiting_.empty()) uv_timer_stop(timer_.get());
  return fd;
}

void ProxyReader::look(Waiting& waiting, bool last) {
  ProxyHeader header;
  ProxyOutcome outcome = readHeader(waiting.fd.get(), limits_.version, waiting.head, header);
  if (outcome == ProxyOutcome::kWaiting && last) outcome = ProxyOutcome::kLate;
  if (outcome == ProxyOutcome::kWaiting) return;
  Fd connection = drop(waiting);
  if (outcome == ProxyOutcome::kWhole) {
    listener_.onHeader(std::move(connection), header);
  } else {
    const int fd = connection.get();
    connection.reset();
    listener_.onRefused(fd, outcome, header.fault);
  }
}

void ProxyReader::onTimer() {
  // JavaScript may close and forget us on the way.
  const auto self = shared_from_this();
  while (!waiting_.empty() && waiting_.front().deadline <= uv_hrtime()) look(waiting_.front(), true);
  startTimer();
}

void ProxyReader::startTimer() {
  if (waiting_.empty()) return;
  const uint64_t now = uv_hrtime();
  const uint64_t deadline = std::max(waiting_.front().deadline, now);
  uv_timer_start(timer_.get(), [](uv_timer_t* timer) { static_cast<ProxyReader*>(timer->data)->onTimer(); }, (deadline - now) / kNsPerMs + 1, 0);
}

void ProxyReader::close() {
  closed_ = true;
  waiting_.clear();
  timer_.close();
}

// ---- binding

namespace {

constexpr std::array kOutcomes = {"whole", "waiting", "missing", "other-version", "malformed", "broken-off", "empty", "late", "crowded"};
constexpr std::array<const char*, 4> kFamilies = {nullptr, "IPv4", "IPv6", "unix"};

Napi::Value textOrNull(Napi::Env env, const char* text) {
  if (text == nullptr) return env.Null();
  return Napi::String::New(env, text);
}

// Defined, not set: a setter that an app has put on Object.prototype must not come between a connection and who is to get it.
Napi::Object objectOf(Napi::Env env, std::initializer_list<Napi::PropertyDescriptor> properties) {
  Napi::Object object = Napi::Object::New(env);
  object.DefineProperties(properties);
  return object;
}

template <typename T>
Napi::PropertyDescriptor property(Napi::Env env, const char* name, const T& value) {
  return Napi::PropertyDescriptor::Value(name, Napi::Value::From(env, value), napi_default_jsproperty);
}

Napi::Object toHeader(Napi::Env env, const ProxyHeader& header) {
  return objectOf(env, {property(env, "family", textOrNull(env, kFamilies[static_cast<size_t>(header.family)])),
                        property(env, "address", header.source.address),
                        property(env, "port", header.source.port),
                        property(env, "localAddress", header.destination.address),
                        property(env, "localPort", header.destination.port)});
}

Napi::Object toRefusal(Napi::Env env, ProxyOutcome outcome, const char* fault) {
  return objectOf(env, {property(env, "refusal", kOutcomes[static_cast<size_t>(outcome)]), property(env, "fault", textOrNull(env, fault))});
}

bool isVersion(int version) { return version >= static_cast<int>(ProxyVersion::kV1) && version <= static_cast<int>(ProxyVersion::kAny); }

class ProxyReaderObject final : public Napi::ObjectWrap<ProxyReaderObject>, public Resource, public ProxyListener {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ProxyReader", {InstanceMethod<&ProxyReaderObject::take>("take"), InstanceMethod<&ProxyReaderObject::close>("close")});
  }

  explicit ProxyReaderObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info), environment_(Environment::of(info.Env())), context_(info.Env(), "drover.ProxyReader") {
    Args args(info);
    const int version = args.integer(0, "version");
    const int timeoutMs = args.integer(0, "timeoutMs");
    const int waiting = args.integer(0, "waiting");
    const Napi::Function header = args.function(1);
    const Napi::Function refused = args.function(2);
    const bool valid = args.valid() && isVersion(version) && timeoutMs > 0 && waiting > 0;
    const ProxyLimits limits{static_cast<ProxyVersion>(valid ? version : 3), timeoutMs, static_cast<size_t>(valid ? waiting : 1)};
    reader_ = std::make_shared<ProxyReader>(environment_.handles, environment_.loopStamp, limits, *this);
    if (!valid) {
      reader_->close();
      return;
    }
    onHeader_ = Napi::Persistent(header);
    onRefused_ = Napi::Persistent(refused);
    environment_.add(this);
    Ref();
    held_ = true;
  }
  ~ProxyReaderObject() { shutDown(); }

  void shutDown() override {
    reader_->close();
    environment_.remove(this);
  }

 private:
  Napi::Value take(const Napi::CallbackInfo& info) {
    Args args(info);
    const int fd = args.integer(0);
    if (!args.valid() || fd < 0) return result(info.Env(), -EINVAL);
    Fd connection(fd);
    ProxyHeader header;
    const ProxyOutcome outcome = reader_->take(connection, header);
    if (outcome == ProxyOutcome::kWaiting) return info.Env().Null();
    if (outcome != ProxyOutcome::kWhole) return toRefusal(info.Env(), outcome, header.fault);
    static_cast<void>(connection.release());
    return toHeader(info.Env(), header);
  }

  void close(const Napi::CallbackInfo&) {
    shutDown();
    if (std::exchange(held_, false)) Unref();
    // What the callbacks hold, which is as a rule whoever holds us, would never be collected.
    onHeader_.Reset();
    onRefused_.Reset();
  }

  void onHeader(Fd connection, const ProxyHeader& header) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    if (callBack(env, context_, Value(), onHeader_.Value(), {Napi::Number::New(env, connection.get()), toHeader(env, header)})) static_cast<void>(connection.release());
  }

  void onRefused(int fd, ProxyOutcome outcome, const char* fault) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    callBack(env, context_, Value(), onRefused_.Value(), {Napi::Number::New(env, fd), toRefusal(env, outcome, fault)});
  }

  Environment& environment_;
  Napi::AsyncContext context_;
  Napi::FunctionReference onHeader_;
  Napi::FunctionReference onRefused_;
  std::shared_ptr<ProxyReader> reader_;
  bool held_ = false;
};

}  // namespace

Napi::Function ProxyReaderClass(Napi::Env env) { return ProxyReaderObject::define(env); }

Napi::Value ParseProxyHeader(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Args args(info);
  const Napi::ArrayBuffer buffer = args.buffer(0);
  const int version = args.integer(1);
  if (!args.valid() || !isVersion(version)) return result(env, -EINVAL);
  const std::span<std::byte> bytes = bytesOf(buffer);
  const ProxyHeader header = parseProxyHeader({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, static_cast<ProxyVersion>(version));
  if (header.status == ProxyStatus::kMore) return env.Null();
  if (header.status != ProxyStatus::kWhole) return toRefusal(env, outcomeOf(header.status), header.fault);
  Napi::Object object = toHeader(env, header);
  object.Set("length", static_cast<double>(header.length));
  return object;
}

}  // namespace drover
