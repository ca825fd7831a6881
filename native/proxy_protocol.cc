// The parser of PROXY headers, as https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt has them. No system call, no Node-API: bytes in, verdict out; the
// fuzzer (test/fuzz) runs just this file.
//
// Strict where the specification is: in version 1 one space between fields, no leading zeros, CRLF within 107 bytes; in version 2 no value that
// it does not name. What does not fit is malformed, never guessed at: whoever may send a header says who the client is. Lenient where it says so:
// anything may follow UNKNOWN in its line, the rest of LOCAL's header is ignored, and so are TLVs.
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace drover {

namespace {

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::string_view kV2Start("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV2Fixed = 16;
constexpr size_t kUnixPath = 108;

ProxyHeader malformed(const char* fault) { return {.status = ProxyStatus::kMalformed, .fault = fault, .source = {}, .destination = {}}; }

// The address as inet_ntop writes it.
std::optional<std::string> formatAddress(int family, const void* bytes) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, bytes, text, sizeof text) == nullptr) return std::nullopt;
  return text;
}

std::optional<std::string> parseAddress(int family, std::string_view field) {
  char text[INET6_ADDRSTRLEN];
  // inet_pton would stop at a NUL.
  if (field.size() >= sizeof text || field.find('\0') != std::string_view::npos) return std::nullopt;
  *std::copy(field.begin(), field.end(), text) = '\0';
  std::array<uint8_t, sizeof(in6_addr)> bytes;
  if (inet_pton(family, text, bytes.data()) != 1) return std::nullopt;
  return formatAddress(family, bytes.data());
}

std::optional<uint16_t> parsePort(std::string_view field) {
  if (field.empty() || field.size() > 5 || (field[0] == '0' && field.size() > 1)) return std::nullopt;
  uint32_t port = 0;
  for (const char digit : field) {
    if (digit < '0' || digit > '9') return std::nullopt;
    port = port * 10 + static_cast<uint32_t>(digit - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

// Takes one field off the front: up to the next space, or all.
std::string_view takeField(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

ProxyHeader parseV1(std::string_view text) {
  const size_t end = text.substr(0, kProxyV1Limit).find("\r\n");
  if (end == std::string_view::npos) return text.size() >= kProxyV1Limit ? malformed("its line is longer than 107 bytes") : ProxyHeader{};
  ProxyHeader header;
  header.status = ProxyStatus::kWhole;
  header.length = end + 2;
  std::string_view line = text.substr(kV1Start.size(), end - kV1Start.size());
  // As many fields as there shall be have so many spaces between them, and none at the end.
  const auto spaces = std::count(line.begin(), line.end(), ' ');
  const std::string_view protocol = takeField(line);
  if (protocol == "UNKNOWN") return header;
  if (protocol == "TCP4") {
    header.family = ProxyFamily::kIPv4;
  } else if (protocol == "TCP6") {
    header.family = ProxyFamily::kIPv6;
  } else {
    return malformed("its protocol is none of TCP4, TCP6 and UNKNOWN");
  }
  if (spaces != 4) return malformed("its line does not have six fields");
  const int family = header.family == ProxyFamily::kIPv4 ? AF_INET : AF_INET6;
  for (ProxyEnd* side : {&header.source, &header.destination}) {
    auto address = parseAddress(family, takeField(line));
    if (!address) return malformed("an address in it is not of its protocol");
    side->address = std::move(*address);
  }
  for (ProxyEnd* side : {&header.source, &header.destination}) {
    const auto port = parsePort(takeField(line));
    if (!port) return malformed("a port in it is no number from 0 to 65535");
    side->port = *port;
  }
  return header;
}

uint16_t bigEndian(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]); }

std::string unixPath(const uint8_t* bytes) {
  std::string path(reinterpret_cast<const char*>(bytes), kUnixPath);
  if (path[0] != '\0') {
    path.resize(strnlen(path.data(), path.size()));
    return path;
  }
  // Abstract: the length of a name does not travel, so it ends where the padding begins.
  path.resize(path.find_last_not_of('\0') + 1);
  if (!path.empty()) path[0] = '@';
  return path;
}

ProxyHeader parseV2(std::span<const uint8_t> bytes) {
  if (bytes.size() < kV2Fixed) {
    // The version at once: what is no version 2 need not be waited for.
    if (bytes.size() > kV2Start.size() && bytes[12] >> 4 != 2) return malformed("its version is not 2");
    return {};
  }
  if (bytes[12] >> 4 != 2) return malformed("its version is not 2");
  const int command = bytes[12] & 0xf;
  if (command > 1) return malformed("its command is neither LOCAL nor PROXY");
  const size_t rest = bigEndian(&bytes[14]);
  if (kV2Fixed + rest > kProxyV2Limit) return malformed("it is longer than 4096 bytes");

  ProxyHeader header;
  header.length = kV2Fixed + rest;
  size_t needed = 0;
  if (command == 1) {
    const int family = bytes[13] >> 4;
    const int transport = bytes[13] & 0xf;
    constexpr std::array families = {ProxyFamily::kNone, ProxyFamily::kIPv4, ProxyFamily::kIPv6, ProxyFamily::kUnix};
    if (family > 3) return malformed("it has an address family that the protocol does not know");
    header.family = families[static_cast<size_t>(family)];
    if (transport != 1 && !(transport == 0 && header.family == ProxyFamily::kNone)) return malformed("its transport is no stream");
    constexpr std::array<size_t, 4> sizes = {0, 12, 36, 2 * kUnixPath};
    needed = sizes[static_cast<size_t>(family)];
    if (rest < needed) return malformed("it is too short for its addresses");
  }
  if (bytes.size() < header.length) return {};

  header.status = ProxyStatus::kWhole;
  const uint8_t* addresses = bytes.data() + kV2Fixed;
  switch (header.family) {
    case ProxyFamily::kNone:
      break;
    case ProxyFamily::kUnix:
      header.source.address = unixPath(addresses);
      header.destination.address = unixPath(addresses + kUnixPath);
      break;
    case ProxyFamily::kIPv4:
    case ProxyFamily::kIPv6: {
      const bool four = header.family == ProxyFamily::kIPv4;
      const int family = four ? AF_INET : AF_INET6;
      const size_t size = four ? sizeof(in_addr) : sizeof(in6_addr);
      header.source = {formatAddress(family, addresses).value_or(""), bigEndian(addresses + 2 * size)};
      header.destination = {formatAddress(family, addresses + size).value_or(""), bigEndian(addresses + 2 * size + 2)};
      break;
    }
  }
  return header;
}

}  // namespace

ProxyHeader parseProxyHeader(std::span<const uint8_t> bytes, ProxyVersion wanted) {
  if (bytes.empty()) return {};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const ProxyVersion version = bytes[0] == kV2Start[0] ? ProxyVersion::kV2 : ProxyVersion::kV1;
  const std::string_view start = version == ProxyVersion::kV2 ? kV2Start : kV1Start;
  if (text.substr(0, start.size()) != start.substr(0, text.size())) return {.status = ProxyStatus::kMissing, .source = {}, .destination = {}};
  if (text.size() < start.size()) return {};
  if (wanted != ProxyVersion::kAny && wanted != version) return {.status = ProxyStatus::kOtherVersion, .source = {}, .destination = {}};
  return version == ProxyVersion::kV2 ? parseV2(bytes) : parseV1(text);
}

}  // namespace drover
