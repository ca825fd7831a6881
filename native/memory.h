// Shared memory. See memory.cc.
#pragma once

#include <napi.h>

#include <cstddef>
#include <span>
#include <string>

namespace drover {

int createMemory(const std::string& name, int bytes);
int mapMemory(int fd, std::span<std::byte>& memory);

Napi::Value CreateMemory(const Napi::CallbackInfo& info);
Napi::Value MapMemory(const Napi::CallbackInfo& info);

}  // namespace drover
