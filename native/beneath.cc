// openat2(2) with RESOLVE_BENEATH (Linux 5.6): the kernel resolves a path and lets no part of it lead out of the root, neither `..` nor a
// symbolic link, whatever is renamed meanwhile.
//
// Where it is missing (an older kernel, a seccomp filter that does not know it) the path is walked name by name with O_NOFOLLOW: then no
// symbolic link is followed, also none that stays inside.
#include "beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "args.h"
#include "result.h"

namespace drover {

namespace {
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

int walk(int root, std::string_view path, Fd& file) {
  Fd directory;
  int at = root;
  while (!path.empty()) {
    const size_t cut = path.find('/');
    const std::string name(path.substr(0, cut));
    path = cut == std::string_view::npos ? std::string_view{} : path.substr(cut + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") return -EXDEV;
    const bool last = path.find_first_not_of("/.") == std::string_view::npos && path.find("..") == std::string_view::npos;
    Fd next(openat(at, name.c_str(), last ? kFlags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return lastError();
    if (last) {
      file = std::move(next);
      return 0;
    }
    directory = std::move(next);
    at = directory.get();
  }
  file.reset(openat(root, ".", kFlags | O_DIRECTORY));
  return file.valid() ? 0 : lastError();
}
}  // namespace

int openBeneath(int root, const std::string& path, bool links, Fd& file) {
  struct open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links ? 0 : RESOLVE_NO_SYMLINKS);
  const long fd = syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how);
  if (fd >= 0) {
    file.reset(static_cast<int>(fd));
    return 0;
  }
  // EPERM: what seccomp filters of old container runtimes answer. EAGAIN: a rename raced with `..`, so try without it.
  if (errno == ENOSYS || errno == EPERM || errno == EAGAIN) return walk(root, path, file);
  return lastError();
}

// ---- binding

namespace {
// size, modified (s, ns), changed (s, ns), device, inode, mode: doubles hold them all, but for inodes beyond 2^53, of which the low bits differ.
constexpr size_t kStatNumbers = 8;

void fill(const struct stat& from, std::span<std::byte> into) {
  const double numbers[kStatNumbers] = {
      static_cast<double>(from.st_size),        static_cast<double>(from.st_mtim.tv_sec), static_cast<double>(from.st_mtim.tv_nsec),
      static_cast<double>(from.st_ctim.tv_sec), static_cast<double>(from.st_ctim.tv_nsec), static_cast<double>(from.st_dev),
      static_cast<double>(from.st_ino & ((1ULL << 53) - 1)), static_cast<double>(from.st_mode)};
  std::copy_n(reinterpret_cast<const std::byte*>(numbers), sizeof numbers, into.begin());
}
}  // namespace

Napi::Value OpenBeneath(const Napi::CallbackInfo& info) {
  Args args(info);
  const int root = args.integer(0);
  const std::string path = args.text(1);
  const bool links = args.flag(2);
  const std::span<std::byte> into = args.bytes(3);
  if (!args.valid() || into.size() < kStatNumbers * sizeof(double) || path.find('\0') != std::string::npos) return result(info.Env(), -EINVAL);
  Fd file;
  if (const int status = openBeneath(root, path, links, file); status < 0) return result(info.Env(), status);
  struct stat found = {};
  if (fstat(file.get(), &found) < 0) return result(info.Env(), lastError());
  fill(found, into);
  return result(info.Env(), file.release());
}

Napi::Value StatBeneath(const Napi::CallbackInfo& info) {
  Args args(info);
  const int root = args.integer(0);
  const std::string path = args.text(1);
  const std::span<std::byte> into = args.bytes(2);
  if (!args.valid() || into.size() < kStatNumbers * sizeof(double) || path.find('\0') != std::string::npos) return result(info.Env(), -EINVAL);
  struct stat found = {};
  if (fstatat(root, path.c_str(), &found, AT_EMPTY_PATH) < 0) return result(info.Env(), lastError());
  fill(found, into);
  return result(info.Env(), 0);
}

}  // namespace drover
