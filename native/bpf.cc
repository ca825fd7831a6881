// bpf(2), for programs of type SK_REUSEPORT (Linux 4.19) over maps that user space can mmap (BPF_F_MMAPABLE, 5.5). Needs CAP_BPF (5.8; CAP_SYS_ADMIN
// before), and nothing else: -EPERM without it, -ENOSYS or -EINVAL on kernels that lack the feature. A container's seccomp filter may refuse the
// call altogether (-EPERM). Processes that are handed a map's descriptor mmap it without any capability.
#include "bpf.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "last_error.h"

namespace drover {

namespace {

// The verifier gives up (EAGAIN) when a signal comes, and a master gets signals while it starts.
constexpr int kAttempts = 10;

int bpf(int command, bpf_attr& attributes) {
  for (int attempt = 1;; attempt++) {
    const long answer = syscall(SYS_bpf, command, &attributes, sizeof attributes);
    if (answer >= 0) return static_cast<int>(answer);
    if (errno != EAGAIN || attempt == kAttempts) return lastError();
  }
}

// The kernel takes [A-Za-z0-9_.], at most 15.
void setName(char (&field)[BPF_OBJ_NAME_LEN], const char* name) { strncpy(field, name, BPF_OBJ_NAME_LEN - 1); }

uint64_t pointer(const void* address) { return reinterpret_cast<uint64_t>(address); }

}  // namespace

// Descriptors of bpf(2) are CLOEXEC from birth.
int createSharedMap(const char* name, size_t bytes) {
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = sizeof(uint32_t);
  map.value_size = static_cast<uint32_t>(bytes);
  map.max_entries = 1;
  map.map_flags = BPF_F_MMAPABLE;
  setName(map.map_name, name);
  return bpf(BPF_MAP_CREATE, map);
}

int createSocketMap(const char* name, uint32_t slots) {
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_REUSEPORT_SOCKARRAY;
  map.key_size = sizeof(uint32_t);
  map.value_size = sizeof(uint64_t);
  map.max_entries = slots;
  setName(map.map_name, name);
  return bpf(BPF_MAP_CREATE, map);
}

int setSocket(int map, uint32_t slot, int socket) {
  const uint64_t value = static_cast<uint64_t>(socket);
  bpf_attr update{};
  update.map_fd = static_cast<uint32_t>(map);
  update.key = pointer(&slot);
  update.value = pointer(&value);
  return bpf(BPF_MAP_UPDATE_ELEM, update);
}

int loadReuseportProgram(const char* name, const std::vector<bpf_insn>& code) {
  bpf_attr program{};
  program.prog_type = BPF_PROG_TYPE_SK_REUSEPORT;
  program.expected_attach_type = BPF_SK_REUSEPORT_SELECT;
  program.insns = pointer(code.data());
  program.insn_cnt = static_cast<uint32_t>(code.size());
  program.license = pointer("MIT");
  setName(program.prog_name, name);
  return bpf(BPF_PROG_LOAD, program);
}

}  // namespace drover
