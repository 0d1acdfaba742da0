#include "wal/log_slice.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/file.h"

namespace chronik::wal {

Result<SharedBytes> gather(const ByteChain& chain) {
  if (chain.parts().size() == 1) {
    if (const auto* memory = std::get_if<SharedBytes>(&chain.parts().front())) return *memory;
  }
  SharedBytes all = SharedBytes::allocate(chain.size());
  MutableByteView out = all.mutable_view();
  for (const ByteChain::Part& part : chain.parts()) {
    if (const auto* memory = std::get_if<SharedBytes>(&part)) {
      std::copy_n(memory->data(), memory->size(), out.data());
      out = out.subspan(memory->size());
      continue;
    }
    const auto& range = std::get<FileRange>(part);
    TRY_ASSIGN(const std::size_t n, range.file->read_at(range.position, out.first(range.size)));
    if (n != range.size) {
      return Error{Errc::corrupt,
                   fmt::format("a segment file ends at {}, {} bytes were expected at {}",
                               range.position + n, range.size, range.position)};
    }
    out = out.subspan(range.size);
  }
  return all;
}

}  // namespace chronik::wal
