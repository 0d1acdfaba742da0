#include "base/coding.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"
#include "base/uuid.h"

namespace chronik {
namespace {

TEST(Coding, VarintsComeBack) {
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<std::int64_t>(random.next() >> random.below(64));
    Writer writer;
    writer.varlong(value);
    writer.varint(static_cast<std::int32_t>(value));
    Bytes bytes = writer.take_bytes();
    Reader reader{ByteView(bytes)};
    ASSERT_EQ(reader.varlong(), value);
    ASSERT_EQ(reader.varint(), static_cast<std::int32_t>(value));
    ASSERT_TRUE(reader.finished());
  }
}

TEST(Coding, ReaderStaysFailedAndReadsZero) {
  const Bytes bytes{1, 2, 3};
  Reader reader{ByteView(bytes)};
  EXPECT_EQ(reader.i32(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.i8(), 0);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(Coding, OverlongVarintsFail) {
  const Bytes six{0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  Reader reader{ByteView(six)};
  reader.uvarint();
  EXPECT_FALSE(reader.ok());
  const Bytes too_big{0xff, 0xff, 0xff, 0xff, 0x1f};
  Reader second{ByteView(too_big)};
  second.uvarint();
  EXPECT_FALSE(second.ok());
}

TEST(Coding, SplicedChainKeepsOrder) {
  Writer writer;
  writer.i16(1);
  ByteChain records;
  records.append(SharedBytes::copy_of(as_bytes("abc")));
  writer.splice(std::move(records));
  writer.i8(2);
  EXPECT_EQ(writer.size(), 6u);
  ByteChain chain = writer.take_chain();
  ASSERT_EQ(chain.parts().size(), 3u);
  EXPECT_EQ(as_text(std::get<SharedBytes>(chain.parts()[1]).view()), "abc");
  EXPECT_EQ(chain.size(), 6u);
}

TEST(Crc32c, KnownAnswerAndExtension) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c_extend(crc32c(as_bytes("1234")), as_bytes("56789")), 0xe3069283u);
}

TEST(Uuid, TextComesBack) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::from_random(random.next(), random.next());
    const std::string text = id.to_string();
    ASSERT_NE(text.front(), '-');
    ASSERT_EQ(Uuid::parse(text), id);
  }
  EXPECT_EQ(Uuid{}.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_FALSE(Uuid::parse("short").has_value());
}

}  // namespace
}  // namespace chronik
