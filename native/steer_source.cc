// Steering by source address: a classic BPF program (SO_ATTACH_REUSEPORT_CBPF, Linux 4.5, no privilege) that hashes the address a connection comes from, so that all
// connections of a client go to one slot. A port takes no part: each connection has another.
//
// An address has its home among all slots, whether they serve or not, and the same one in every group that has them all; where that one does not serve, another hash of it picks among those that do. So who
// leaves moves its own clients only, all over the others, and who comes back has its own again. A slot more gives most addresses another home.
//
// The hash begins with a seed: who does not know it cannot choose addresses that all hit one worker.
#include "steer_source.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "args.h"
#include "last_error.h"
#include "result.h"

namespace drover {

namespace {
// Four instructions a slot, of the kernel's BPF_MAXINSNS (4096).
constexpr uint32_t kMaxSlots = 512;
// From the network header, which may be of either family at a socket for both.
constexpr auto kNetwork = static_cast<uint32_t>(SKF_NET_OFF);
constexpr uint32_t kSourceV4 = 12;
constexpr uint32_t kSourceV6 = 8;
constexpr uint32_t kWordsV6 = 4;
constexpr uint32_t kHash = 0;

using Program = std::vector<struct sock_filter>;

// X = (X ^ word) * an odd constant, its upper half folded into the lower one, which alone decides what a remainder is.
void hashWord(Program& program, uint32_t offset) {
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNetwork + offset));
  program.push_back(BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0));
  for (const uint32_t factor : {0x7feb352du, 0x846ca68bu}) {
    program.push_back(BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, factor));
    program.push_back(BPF_STMT(BPF_ST, kHash));
    program.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16));
    program.push_back(BPF_STMT(BPF_LDX | BPF_MEM, kHash));
    program.push_back(BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0));
  }
  program.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
}

// Where A is i, the answer is answers[i], if there is one.
void ladder(Program& program, std::span<const int> answers) {
  for (uint32_t i = 0; i < answers.size(); i++) {
    if (answers[i] < 0) continue;
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, static_cast<uint32_t>(answers[i])));
  }
}
}  // namespace

Program sourceProgram(std::span<const int> indexes, uint32_t seed) {
  Program v4;
  hashWord(v4, kSourceV4);
  Program v6;
  for (uint32_t word = 0; word < kWordsV6; word++) hashWord(v6, kSourceV6 + 4 * word);
  v6.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(v4.size())));

  Program program;
  program.push_back(BPF_STMT(BPF_LDX | BPF_IMM, seed));
  program.push_back(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kNetwork));
  program.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, static_cast<uint8_t>(v6.size())));
  program.insert(program.end(), v6.begin(), v6.end());
  program.insert(program.end(), v4.begin(), v4.end());

  // The home.
  const auto slots = static_cast<uint32_t>(indexes.size());
  program.push_back(BPF_STMT(BPF_MISC | BPF_TXA, 0));
  program.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, slots));
  ladder(program, indexes);
  // It does not serve: the quotient has nothing to do with the remainder that has led here.
  std::vector<int> serving;
  std::copy_if(indexes.begin(), indexes.end(), std::back_inserter(serving), [](int index) { return index >= 0; });
  program.push_back(BPF_STMT(BPF_MISC | BPF_TXA, 0));
  program.push_back(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, slots));
  program.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(serving.size())));
  ladder(program, serving);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, static_cast<uint32_t>(serving.front())));
  return program;
}

Napi::Value SteerBySource(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  const std::vector<int> indexes = args.integers(1);
  const int seed = args.integer(2);
  const bool served = std::any_of(indexes.begin(), indexes.end(), [](int index) { return index >= 0; });
  if (!args.valid() || !served || indexes.size() > kMaxSlots) return result(info.Env(), -EINVAL);
  Program code = sourceProgram(indexes, static_cast<uint32_t>(seed));
  const struct sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  return result(info.Env(), setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0 ? 0 : lastError());
}

}  // namespace drover
