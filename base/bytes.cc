#include "base/bytes.h"

#include <algorithm>

namespace chronik {

SharedBytes SharedBytes::allocate(std::size_t size) {
  if (size == 0) return {};
  // make_shared would zero the memory; a receive buffer is about to be overwritten.
  std::shared_ptr<std::uint8_t[]> block = std::make_shared_for_overwrite<std::uint8_t[]>(size);
  std::uint8_t* data = block.get();
  return {std::shared_ptr<std::uint8_t>(std::move(block), data), MutableByteView{data, size}};
}

SharedBytes SharedBytes::copy_of(ByteView bytes) {
  SharedBytes copy = allocate(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.data_);
  return copy;
}

SharedBytes SharedBytes::adopt(Bytes bytes) {
  if (bytes.empty()) return {};
  auto block = std::make_shared<Bytes>(std::move(bytes));
  MutableByteView view{block->data(), block->size()};
  return {std::shared_ptr<std::uint8_t>(block, block->data()), view};
}

}  // namespace chronik
