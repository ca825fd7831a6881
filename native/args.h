// Reading arguments. No JavaScript error is made here: one wrong argument makes the whole call answer -EINVAL, and
// src/native.ts, whose types should have prevented it, throws.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace drover {

inline std::span<std::byte> bytesOf(Napi::ArrayBuffer buffer) { return {static_cast<std::byte*>(buffer.Data()), buffer.ByteLength()}; }

class Args {
 public:
  explicit Args(const Napi::CallbackInfo& info) : info_(info) {}

  bool valid() const { return valid_; }

  int integer(size_t at) { return toInteger(info_[at]); }
  bool flag(size_t at) { return toFlag(info_[at]); }
  std::string text(size_t at) { return toText(info_[at]); }

  // A whole number that a double holds exactly: sizes and offsets of files.
  int64_t wide(size_t at) {
    if (!require(info_[at].IsNumber())) return 0;
    const double number = info_[at].As<Napi::Number>().DoubleValue();
    constexpr double kMax = 9007199254740991;
    if (!require(number >= -kMax && number <= kMax)) return 0;
    const auto whole = static_cast<int64_t>(number);
    require(static_cast<double>(whole) == number);
    return whole;
  }

  // The bytes of a Buffer or another view; a missing one is empty. Valid until JavaScript runs again.
  std::span<std::byte> bytes(size_t at) {
    if (info_[at].IsUndefined()) return {};
    if (!require(info_[at].IsTypedArray())) return {};
    const auto view = info_[at].As<Napi::TypedArray>();
    if (view.ByteLength() == 0) return {};
    return {static_cast<std::byte*>(view.ArrayBuffer().Data()) + view.ByteOffset(), view.ByteLength()};
  }

  // A missing list is an empty one.
  std::vector<int> integers(size_t at) {
    std::vector<int> list;
    if (info_[at].IsUndefined()) return list;
    if (!require(info_[at].IsArray())) return list;
    auto array = info_[at].As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); i++) list.push_back(toInteger(array.Get(i)));
    return list;
  }

  Napi::Function function(size_t at) {
    if (!require(info_[at].IsFunction())) return {};
    return info_[at].As<Napi::Function>();
  }

  Napi::ArrayBuffer buffer(size_t at) {
    if (!require(info_[at].IsArrayBuffer())) return {};
    return info_[at].As<Napi::ArrayBuffer>();
  }

  // Members of an options object.
  int integer(size_t at, const char* name) { return toInteger(member(at, name)); }
  bool flag(size_t at, const char* name) { return toFlag(member(at, name)); }
  // A missing one is false.
  bool optionalFlag(size_t at, const char* name) {
    Napi::Value value = member(at, name);
    return !value.IsUndefined() && toFlag(value);
  }
  std::string text(size_t at, const char* name) { return toText(member(at, name)); }

 private:
  bool require(bool condition) {
    valid_ = valid_ && condition;
    return condition;
  }

  Napi::Value member(size_t at, const char* name) {
    if (!require(info_[at].IsObject())) return info_.Env().Undefined();
    Napi::Value value = info_[at].As<Napi::Object>().Get(name);
    return value.IsEmpty() ? info_.Env().Undefined() : value;
  }

  int toInteger(Napi::Value value) {
    if (!require(value.IsNumber())) return 0;
    const double number = value.As<Napi::Number>().DoubleValue();
    if (!require(number >= INT32_MIN && number <= INT32_MAX)) return 0;
    const int whole = static_cast<int>(number);
    require(whole == number);
    return whole;
  }

  bool toFlag(Napi::Value value) { return require(value.IsBoolean()) && value.As<Napi::Boolean>().Value(); }

  std::string toText(Napi::Value value) {
    if (!require(value.IsString())) return {};
    return value.As<Napi::String>().Utf8Value();
  }

  const Napi::CallbackInfo& info_;
  bool valid_ = true;
};

}  // namespace drover
