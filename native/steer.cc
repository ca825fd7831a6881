// Classic BPF on a SO_REUSEPORT group: which of its sockets gets a new connection. SO_ATTACH_REUSEPORT_CBPF since Linux 4.5 (TCP), SO_DETACH_REUSEPORT_BPF
// since 5.3; no privilege needed. Without it (-ENOPROTOOPT) the kernel's hash decides among all sockets.
//
// Attach through any socket of the group, after listen(); it takes effect at once and may be replaced under traffic. A slot is the index
// in the order of listen(); closing a socket moves the last one into its place, so do not steer a group that closes sockets. An index outside the
// group falls back to the hash: nothing is lost, and nothing tells.
#include "steer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "args.h"
#include "result.h"

namespace drover {

namespace {
// Two instructions a slot, of the kernel's BPF_MAXINSNS; the bound is far above any group of ours.
constexpr size_t kMaxSlots = 1024;
}  // namespace

std::vector<struct sock_filter> steeringProgram(std::span<const int> slots) {
  const auto count = static_cast<uint32_t>(slots.size());
  std::vector<struct sock_filter> program;
  program.reserve(3 + 2 * slots.size());
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)));
  program.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count));
  // A ladder: if the number is i, answer slots[i], else one rung down. The last rung needs no question.
  for (uint32_t i = 0; i < count; i++) {
    if (i + 1 < count) program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, static_cast<uint32_t>(slots[i])));
  }
  return program;
}

int steerAmong(int fd, std::span<const int> slots) {
  if (slots.empty()) {
    const int unused = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof unused) == 0) return 0;
    return errno == ENOENT ? 0 : lastError();
  }
  if (slots.size() > kMaxSlots || std::any_of(slots.begin(), slots.end(), [](int slot) { return slot < 0; })) return -EINVAL;
  std::vector<struct sock_filter> code = steeringProgram(slots);
  const struct sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0 ? 0 : lastError();
}

Napi::Value SteerAmong(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  const std::vector<int> slots = args.integers(1);
  return result(info.Env(), args.valid() ? steerAmong(fd, slots) : -EINVAL);
}

}  // namespace drover
