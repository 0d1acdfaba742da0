#include "broker/net/leader_news.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"

namespace chronik::broker {

namespace {

constexpr std::uint8_t mark = 0xc2;
constexpr std::uint8_t version = 1;
constexpr std::size_t news_bytes_min = 16 + 4 + 4 + 1;

}  // namespace

ByteChain encode(std::span<const LeaderNews> news) {
  Writer writer;
  writer.u8(mark);
  writer.u8(version);
  writer.u32(static_cast<std::uint32_t>(news.size()));
  for (const LeaderNews& one : news) {
    writer.bytes(one.topic_id.bytes);
    writer.i32(one.partition);
    writer.i32(one.epoch);
    CHECK(one.in_sync.size() <= 255);
    writer.u8(static_cast<std::uint8_t>(one.in_sync.size()));
    for (const BrokerId broker : one.in_sync) writer.i32(broker);
  }
  return SharedBytes::adopt(writer.take_bytes());
}

bool is_leader_news(ByteView frame) { return !frame.empty() && frame.front() == mark; }

std::optional<std::vector<LeaderNews>> decode_leader_news(ByteView frame) {
  Reader reader(frame);
  if (reader.u8() != mark || reader.u8() != version) return std::nullopt;
  const std::uint32_t count = reader.u32();
  if (count > reader.remaining() / news_bytes_min) return std::nullopt;
  std::vector<LeaderNews> news(count);
  for (LeaderNews& one : news) {
    const ByteView id = reader.bytes(one.topic_id.bytes.size());
    std::ranges::copy(id, one.topic_id.bytes.begin());
    one.partition = reader.i32();
    one.epoch = reader.i32();
    const std::uint8_t in_sync = reader.u8();
    for (int i = 0; i < in_sync; ++i) one.in_sync.push_back(reader.i32());
    if (!reader.ok() || one.partition < 0 || one.epoch < 0) return std::nullopt;
  }
  if (!reader.finished()) return std::nullopt;
  return news;
}

}  // namespace chronik::broker
