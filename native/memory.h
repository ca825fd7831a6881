// Shared memory. See memory.cc.
#pragma once

#include <napi.h>

#include <cstddef>
#include <span>
#include <string>

namespace drover {

int createMemory(const std::string& name, int bytes);
// `bytes` 0: the whole of it, for a descriptor that knows its size.
int mapMemory(int fd, int bytes, std::span<std::byte>& memory);

Napi::Value CreateMemory(const Napi::CallbackInfo& info);
Napi::Value MapMemory(const Napi::CallbackInfo& info);

}  // namespace drover
