#include "base/coding.h"

namespace chronik {

namespace {

// `Word` bits in groups of seven. The last possible group may only carry what still fits.
template <class Word>
Word read_uvarint(const std::uint8_t*& at, const std::uint8_t* end, bool& ok) {
  Word value = 0;
  for (unsigned shift = 0; shift < sizeof(Word) * 8; shift += 7) {
    if (at == end) break;
    const std::uint8_t byte = *at++;
    const Word group = static_cast<Word>(byte & 0x7f);
    if (shift + 7 > sizeof(Word) * 8 && (group >> (sizeof(Word) * 8 - shift)) != 0) break;
    value |= group << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok = false;
  return 0;
}

}  // namespace

std::uint32_t Reader::uvarint() {
  bool good = true;
  const auto value = read_uvarint<std::uint32_t>(at_, end_, good);
  if (!good) [[unlikely]]
    fail();
  return value;
}

std::uint64_t Reader::uvarlong() {
  bool good = true;
  const auto value = read_uvarint<std::uint64_t>(at_, end_, good);
  if (!good) [[unlikely]]
    fail();
  return value;
}

SharedBytes Reader::shared_slice(std::size_t length) {
  const std::uint8_t* begin = at_;
  ByteView view = bytes(length);
  if (!ok_) return {};
  if (source_.empty()) return SharedBytes::copy_of(view);
  return source_.slice(static_cast<std::size_t>(begin - source_.data()), length);
}

void Writer::uvarint(std::uint32_t value) { uvarlong(value); }

void Writer::uvarlong(std::uint64_t value) {
  while (value >= 0x80) {
    buffer_.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  buffer_.push_back(static_cast<std::uint8_t>(value));
}

void Writer::splice(ByteChain chain) {
  if (!buffer_.empty()) chain_.append(SharedBytes::adopt(std::exchange(buffer_, {})));
  chain_.append(std::move(chain));
}

ByteChain Writer::take_chain() {
  if (!buffer_.empty()) chain_.append(SharedBytes::adopt(std::exchange(buffer_, {})));
  return std::exchange(chain_, {});
}

}  // namespace chronik
