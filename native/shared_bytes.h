// Memory that everybody who uses it keeps alive, on whatever thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace drover {

using SharedBytes = std::shared_ptr<const std::span<std::byte>>;

}  // namespace drover
