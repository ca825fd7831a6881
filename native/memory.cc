// Anonymous shared memory: memfd_create(2), since Linux 3.17, sealed against resizing so that no process can make another one fault (SIGBUS).
// -ENOSYS where the kernel lacks it. Not for memory that has to outlive its processes. One of no size is a file to be written, and is not sealed.
//
// Each call of mapMemory makes a mapping of its own, at an address of its own: V8 forbids two buffers over one address. The mapping
// goes when its ArrayBuffer has been collected and no native code holds it. A reference to the buffer would not do: when an environment ends, Node frees
// what external buffers stand for, referenced or not, before any cleanup hook runs (process.exit() too), and our threads and handles end only in these hooks.
#include "memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>

#include "args.h"
#include "environment.h"
#include "fd.h"
#include "result.h"

namespace drover {

namespace {
struct Mapping {
  explicit Mapping(std::span<std::byte> mapped) : bytes(mapped) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(bytes.data(), bytes.size()); }

  const std::span<std::byte> bytes;
};
}  // namespace

int createMemory(const std::string& name, int bytes) {
  if (bytes < 0) return -EINVAL;
  Fd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return lastError();
  if (bytes == 0) return fd.release();
  if (ftruncate(fd.get(), bytes) != 0) return lastError();
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return lastError();
  return fd.release();
}

int mapMemory(int fd, int bytes, SharedBytes& memory) {
  if (bytes < 0) return -EINVAL;
  struct stat status {};
  if (fstat(fd, &status) != 0) return lastError();
  if (bytes == 0) bytes = static_cast<int>(status.st_size);
  if (bytes <= 0) return -EINVAL;
  // Pages beyond the end would fault when touched (SIGBUS). A BPF map has no size to ask for; the kernel checks the length itself.
  if (status.st_size > 0 && status.st_size < bytes) return -EINVAL;
  const auto length = static_cast<size_t>(bytes);
  void* address = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return lastError();
  const auto mapping = std::make_shared<Mapping>(std::span(static_cast<std::byte*>(address), length));
  memory = SharedBytes(mapping, &mapping->bytes);
  return 0;
}

void Mappings::add(const SharedBytes& memory) {
  std::erase_if(mappings_, [](const auto& entry) { return entry.second.expired(); });
  mappings_[memory->data()] = memory;
}

SharedBytes Mappings::of(Napi::ArrayBuffer buffer) const {
  const auto found = mappings_.find(buffer.Data());
  return found == mappings_.end() ? nullptr : found->second.lock();
}

Napi::Value CreateMemory(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(0);
  const int bytes = args.integer(1);
  return result(info.Env(), args.valid() ? createMemory(name, bytes) : -EINVAL);
}

Napi::Value SealMemory(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  if (!args.valid()) return result(info.Env(), -EINVAL);
  return result(info.Env(), fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 ? 0 : lastError());
}

Napi::Value MapMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Args args(info);
  const int fd = args.integer(0);
  const int bytes = info.Length() > 1 ? args.integer(1) : 0;
  SharedBytes memory;
  const int status = args.valid() ? mapMemory(fd, bytes, memory) : -EINVAL;
  if (status < 0) return result(env, status);
  auto share = std::make_unique<SharedBytes>(memory);
  const auto letGo = [](napi_env, void*, void* share) { std::unique_ptr<SharedBytes>(static_cast<SharedBytes*>(share)); };
  napi_value buffer = nullptr;
  // Refused by a Node built with a V8 memory cage, which has no external buffers (napi_no_external_buffers_allowed).
  if (napi_create_external_arraybuffer(env, memory->data(), memory->size(), letGo, share.get(), &buffer) != napi_ok) return result(env, -ENOTSUP);
  static_cast<void>(share.release());
  Environment::of(env).mappings.add(memory);
  return Napi::Value(env, buffer);
}

}  // namespace drover
