// What must hold for any bytes that a connection may begin with; libFuzzer makes them up. See ../run.
#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <memory>

#include "../../../native/proxy_protocol.h"

using drover::parseProxyHeader;
using drover::ProxyEnd;
using drover::ProxyFamily;
using drover::ProxyHeader;
using drover::ProxyStatus;
using drover::ProxyVersion;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

bool isAddress(int family, const std::string& text) {
  unsigned char bytes[16];
  return text.find('\0') == std::string::npos && inet_pton(family, text.c_str(), bytes) == 1;
}

bool sameEnd(const ProxyEnd& one, const ProxyEnd& other) { return one.address == other.address && one.port == other.port; }

bool same(const ProxyHeader& one, const ProxyHeader& other) {
  return one.status == other.status && one.fault == other.fault && one.length == other.length && one.family == other.family && sameEnd(one.source, other.source) &&
         sameEnd(one.destination, other.destination);
}

// In a buffer of just its size, so that a read beyond it is found.
ProxyHeader parse(std::span<const uint8_t> bytes, ProxyVersion wanted) {
  const auto exact = std::make_unique_for_overwrite<uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), exact.get());
  return parseProxyHeader({exact.get(), bytes.size()}, wanted);
}

void checkHeader(std::span<const uint8_t> bytes, const ProxyHeader& header) {
  require((header.status == ProxyStatus::kMalformed) == (header.fault != nullptr), "a fault is what is malformed");
  if (header.status != ProxyStatus::kWhole) return;
  require(header.length > 0 && header.length <= bytes.size(), "a header is within what was given");
  const bool v1 = bytes[0] == 'P';
  require(header.length <= (v1 ? drover::kProxyV1Limit : drover::kProxyV2Limit), "a header is within its limit");
  if (v1) require(std::memcmp(&bytes[header.length - 2], "\r\n", 2) == 0, "version 1 ends with CRLF");
  for (const ProxyEnd* end : {&header.source, &header.destination}) {
    switch (header.family) {
      case ProxyFamily::kIPv4:
        require(isAddress(AF_INET, end->address), "an IPv4 address");
        break;
      case ProxyFamily::kIPv6:
        require(isAddress(AF_INET6, end->address), "an IPv6 address");
        break;
      case ProxyFamily::kUnix:
        require(end->address.size() <= 108 && end->port == 0, "a path");
        break;
      case ProxyFamily::kNone:
        require(end->address.empty() && end->port == 0, "no address");
        break;
    }
  }
}

void check(std::span<const uint8_t> bytes, ProxyVersion wanted) {
  const ProxyHeader header = parse(bytes, wanted);
  checkHeader(bytes, header);
  // What comes behind a verdict does not change it, and before it there is none but "more".
  const size_t whole = header.status == ProxyStatus::kWhole ? header.length : bytes.size();
  // Hundreds of prefixes would be slow; which ones are tried differs with the length, and lengths the fuzzer has many.
  const size_t step = 1 + bytes.size() / 16;
  for (size_t length = 0; length < bytes.size(); length += step) {
    const ProxyHeader part = parse(bytes.first(length), wanted);
    if (part.status == ProxyStatus::kMore) {
      require(length < whole, "a whole header needs no more");
    } else {
      require(same(part, header), "a verdict that stays");
    }
    if (header.status == ProxyStatus::kMore) require(part.status == ProxyStatus::kMore, "what is incomplete was so before");
  }
  if (header.status == ProxyStatus::kMore) require(bytes.size() < drover::kProxyV2Limit, "nobody is waited for in vain");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(data, size);
  const ProxyStatus any = parse(bytes, ProxyVersion::kAny).status;
  for (const ProxyVersion wanted : {ProxyVersion::kAny, ProxyVersion::kV1, ProxyVersion::kV2}) check(bytes, wanted);
  // Each of the two versions is taken by exactly one of those who want one.
  if (any == ProxyStatus::kWhole) {
    const bool v1 = parse(bytes, ProxyVersion::kV1).status == ProxyStatus::kWhole;
    const bool v2 = parse(bytes, ProxyVersion::kV2).status == ProxyStatus::kWhole;
    require(v1 != v2, "one version");
  }
  return 0;
}
