// What hostile bytes can make the decoder allocate. Counts every allocation of the test program, so
// it is left out under the sanitizers, which have an allocator of their own.
#include <gtest/gtest.h>

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "protocol/catalog.h"
#include "protocol/messages/metadata.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

void* counted(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  const std::size_t live = live_bytes += malloc_usable_size(memory);
  if (live > peak_bytes) peak_bytes = live;
  return memory;
}

void released(void* memory) {
  if (memory != nullptr) live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { released(memory); }
void operator delete[](void* memory) noexcept { released(memory); }
void operator delete(void* memory, std::size_t) noexcept { released(memory); }
void operator delete[](void* memory, std::size_t) noexcept { released(memory); }

namespace chronik::protocol {
namespace {

// Bytes allocated at most, beyond what was there before, while `bytes` are decoded.
std::size_t peak_of(const MessageType& type, std::int16_t version, ByteView bytes) {
  const auto message = type.make();
  Reader reader(bytes);
  const std::size_t before = live_bytes;
  peak_bytes = before;
  message->decode(reader, version);
  return peak_bytes - before;
}

TEST(HostileMemory, CountsThatPromiseGigabytesCostNothing) {
  for (const MessageType* type : message_types()) {
    for (std::int16_t version = type->min_version; version <= type->max_version; ++version) {
      // Every length in it is as great as it goes, whatever field it belongs to.
      for (const std::uint8_t byte : {std::uint8_t{0x7f}, std::uint8_t{0xff}, std::uint8_t{0x0f}}) {
        for (const std::size_t size : {4, 5, 16, 100, 1000}) {
          const Bytes bytes(size, byte);
          EXPECT_LE(peak_of(*type, version, bytes), 16 * 1024 + size * 100)
              << type->name << " " << version;
        }
      }
    }
  }
}

TEST(HostileMemory, AMillionDeclaredElementsCostWhatIsThere) {
  // A million one-byte elements are declared and their bytes are there, but the first is broken.
  Writer writer;
  writer.uvarint(1'000'001);
  writer.bytes(Bytes(20'000'000, 0xff));
  const Bytes bytes = writer.take_bytes();
  const MessageType* type = find_message_type("MetadataRequest");
  EXPECT_LE(peak_of(*type, 9, bytes), 64 * 1024U);
}

TEST(HostileMemory, WhatIsDecodedCostsABoundedMultipleOfItsBytes) {
  double worst = 0;
  std::string_view worst_name;
  for (const MessageType* type : message_types()) {
    if (type->kind != MessageKind::request) continue;
    for (std::int16_t version = type->min_version; version <= type->max_version; ++version) {
      for (const std::uint8_t byte : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
        // Arrays of as many of the least elements as there are bytes for.
        Writer writer;
        if (type->flexible_in(version)) {
          writer.uvarint(60'000);
        } else {
          writer.i32(20'000);
        }
        writer.bytes(Bytes(400'000, byte));
        const Bytes bytes = writer.take_bytes();
        const double factor =
            static_cast<double>(peak_of(*type, version, bytes)) / static_cast<double>(bytes.size());
        if (factor > worst) {
          worst = factor;
          worst_name = type->name;
        }
      }
    }
  }
  EXPECT_LE(worst, 100) << worst_name;
  RecordProperty("worst", std::string(worst_name) + " " + std::to_string(worst));
}

}  // namespace
}  // namespace chronik::protocol

#endif
