// The header of the PROXY protocol, versions 1 and 2. See proxy_protocol.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace drover {

// With its CRLF.
constexpr size_t kProxyV1Limit = 107;
// The protocol allows 64 KiB of TLVs; those in use are far shorter, and whoever sends more is not listened to.
constexpr size_t kProxyV2Limit = 4096;

enum class ProxyVersion { kV1 = 1, kV2 = 2, kAny = 3 };

enum class ProxyStatus {
  kWhole,
  // Right so far: every byte of it belongs to the header.
  kMore,
  // It does not begin like a header of either version.
  kMissing,
  // A header of the version that is not wanted.
  kOtherVersion,
  kMalformed,
};

enum class ProxyFamily {
  // UNKNOWN, LOCAL, UNSPEC: the addresses of the connection itself stay.
  kNone,
  kIPv4,
  kIPv6,
  kUnix,
};

// An address as inet_ntop(3) writes it; of a unix socket its path, "@name" in the abstract namespace, empty when it has no name.
struct ProxyEnd {
  std::string address;
  uint16_t port = 0;
};

struct ProxyHeader {
  ProxyStatus status = ProxyStatus::kMore;
  // What is wrong, where it is kMalformed.
  const char* fault = nullptr;
  // Bytes of the header, where it is kWhole.
  size_t length = 0;
  ProxyFamily family = ProxyFamily::kNone;
  ProxyEnd source;
  ProxyEnd destination;
};

// `bytes`: what a connection begins with, whether or not more than the header.
ProxyHeader parseProxyHeader(std::span<const uint8_t> bytes, ProxyVersion wanted);

}  // namespace drover
