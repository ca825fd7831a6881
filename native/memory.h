// Shared memory, and the mappings that JavaScript has a buffer of. See memory.cc.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "shared_bytes.h"

namespace drover {

int createMemory(const std::string& name, int bytes);
// `bytes` 0: the whole of it, for a descriptor that knows its size.
int mapMemory(int fd, int bytes, SharedBytes& memory);

// The mappings of one environment, by address: native code is given an ArrayBuffer and wants to hold what is beneath it.
class Mappings {
 public:
  void add(const SharedBytes& memory);
  // Null for a buffer that is no mapping, or not of this environment.
  SharedBytes of(Napi::ArrayBuffer buffer) const;

 private:
  // Weak: a mapping goes with its buffer when nobody else holds it.
  std::unordered_map<const void*, std::weak_ptr<const std::span<std::byte>>> mappings_;
};

Napi::Value CreateMemory(const Napi::CallbackInfo& info);
Napi::Value SealMemory(const Napi::CallbackInfo& info);
Napi::Value MapMemory(const Napi::CallbackInfo& info);

}  // namespace drover
