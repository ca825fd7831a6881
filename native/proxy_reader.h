// Reading PROXY headers off connections that were just accepted. See proxy_reader.cc.
#pragma once

#include <napi.h>

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "fd.h"
#include "loop_handle.h"
#include "loop_stamp.h"
#include "proxy_protocol.h"

namespace drover {

// What became of a connection. From kMissing on it is refused, and closed.
enum class ProxyOutcome {
  kWhole,
  kWaiting,
  kMissing,
  kOtherVersion,
  kMalformed,
  // Closed by its peer within the header.
  kBrokenOff,
  // Closed by its peer before its first byte.
  kEmpty,
  kLate,
  // Too many wait, and it is the one that has waited longest.
  kCrowded,
};

// Whom a reader tells of a connection that had to wait. `fd` is the number it was taken with.
class ProxyListener {
 public:
  virtual void onHeader(Fd connection, const ProxyHeader& header) = 0;
  virtual void onRefused(int fd, ProxyOutcome outcome, const char* fault) = 0;

 protected:
  ~ProxyListener() = default;
};

struct ProxyLimits {
  ProxyVersion version;
  int timeoutMs;
  size_t waiting;
};

class ProxyReader final : public std::enable_shared_from_this<ProxyReader> {
 public:
  ProxyReader(LoopHandles& handles, LoopStamp& loopStamp, const ProxyLimits& limits, ProxyListener& listener);

  // The connection is the caller's again when its header is whole, the reader's while it waits, and closed when it is refused.
  ProxyOutcome take(Fd& connection, ProxyHeader& header);
  void close();

 private:
  struct Waiting;

  bool wait(Fd& connection, std::vector<uint8_t>& head);
  void look(Waiting& waiting, bool last);
  Fd drop(Waiting& waiting);
  void onTimer();
  void startTimer();

  LoopHandles& handles_;
  LoopStamp& loopStamp_;
  const ProxyLimits limits_;
  ProxyListener& listener_;
  // In the order they came, which is that of their deadlines.
  std::list<Waiting> waiting_;
  LoopHandle<uv_timer_t> timer_;
  bool closed_ = false;
};

Napi::Function ProxyReaderClass(Napi::Env env);
Napi::Value ParseProxyHeader(const Napi::CallbackInfo& info);

}  // namespace drover
