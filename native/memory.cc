// Anonymous shared memory: memfd_create(2), since Linux 3.17, sealed against resizing so that no process can make another one fault (SIGBUS).
// -ENOSYS where the kernel lacks it. Not for memory that has to outlive its processes.
//
// Each call of mapMemory makes a mapping of its own, at an address of its own: V8 forbids two buffers over one address. The mapping
// goes when its ArrayBuffer is collected, so native code that keeps a pointer into it holds a reference to the buffer.
#include "memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "args.h"
#include "fd.h"
#include "result.h"

namespace drover {

int createMemory(const std::string& name, int bytes) {
  if (bytes <= 0) return -EINVAL;
  Fd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return lastError();
  if (ftruncate(fd.get(), bytes) != 0) return lastError();
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return lastError();
  return fd.release();
}

int mapMemory(int fd, int bytes, std::span<std::byte>& memory) {
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
  memory = {static_cast<std::byte*>(address), length};
  return 0;
}

Napi::Value CreateMemory(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(0);
  const int bytes = args.integer(1);
  return result(info.Env(), args.valid() ? createMemory(name, bytes) : -EINVAL);
}

Napi::Value MapMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Args args(info);
  const int fd = args.integer(0);
  const int bytes = info.Length() > 1 ? args.integer(1) : 0;
  std::span<std::byte> memory;
  const int status = args.valid() ? mapMemory(fd, bytes, memory) : -EINVAL;
  if (status < 0) return result(env, status);
  // The length travels as the hint: a mapping is unmapped by address and length.
  const auto unmap = [](napi_env, void* address, void* bytes) { munmap(address, reinterpret_cast<size_t>(bytes)); };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, memory.data(), memory.size(), unmap, reinterpret_cast<void*>(memory.size()), &buffer) != napi_ok) {
    // A Node built with a V8 memory cage has no external buffers (napi_no_external_buffers_allowed).
    munmap(memory.data(), memory.size());
    return result(env, -ENOTSUP);
  }
  return Napi::Value(env, buffer);
}

}  // namespace drover
