#include "metadata/state_machine.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "base/check.h"
#include "metadata/event_codec.h"
#include "metadata/image_difference.h"
#include "protocol/record_builder.h"
#include "protocol/record_reader.h"

namespace chronik::metadata {

MetadataStateMachine::MetadataStateMachine(std::shared_ptr<const Image> image)
    : image_(std::move(image)),
      applied_index_(image_->applied_index()),
      applied_offset_(image_->applied_offset()) {}

ImageBuilder& MetadataStateMachine::builder() {
  if (builder_ == nullptr) builder_ = std::make_unique<ImageBuilder>(image_);
  return *builder_;
}

ApplyResults MetadataStateMachine::apply(EntryIndex index, Offset next_offset,
                                         const std::vector<MetadataEvent>& events) {
  CHECK_MSG(index == applied_index_ + 1,
            fmt::format("entry {} behind entry {}", index, applied_index_));
  CHECK(next_offset >= applied_offset_);
  ApplyResults results;
  results.reserve(events.size());
  for (const MetadataEvent& event : events) results.push_back(builder().apply(event));
  applied_index_ = index;
  applied_offset_ = next_offset;
  builder().set_applied(index, next_offset);
  return results;
}

Result<ApplyResults> MetadataStateMachine::apply(EntryIndex index, ByteView batch) {
  if (batch.size() < protocol::batch_header_size) {
    return Error{Errc::corrupt, "an entry of the metadata log is shorter than its header"};
  }
  const protocol::BatchHeader header = protocol::read_batch_header(batch);
  // Entries of Raft's own take no offset (wal/format.md).
  if (header.last_offset_delta < 0) return apply(index, header.next_offset(), {});
  TRY_ASSIGN(const std::vector<MetadataEvent> events, read_entry(batch));
  return apply(index, header.next_offset(), events);
}

void MetadataStateMachine::publish() {
  if (builder_ == nullptr) return;
  ImageBuilder::Built built = builder_->finish();
  builder_.reset();
  const std::shared_ptr<const Image> before = std::exchange(image_, built.image);
  for (MetadataObserver* observer : observers_) {
    observer->on_image(before, built.image, built.delta);
  }
}

void MetadataStateMachine::restore(std::shared_ptr<const Image> image) {
  CHECK(builder_ == nullptr);
  const std::shared_ptr<const Image> before = std::exchange(image_, std::move(image));
  applied_index_ = image_->applied_index();
  applied_offset_ = image_->applied_offset();
  const MetadataDelta delta = difference(*before, *image_);
  for (MetadataObserver* observer : observers_) observer->on_image(before, image_, delta);
}

void MetadataStateMachine::tell_leadership(const Leadership& leadership) {
  for (MetadataObserver* observer : observers_) observer->on_leadership(leadership);
}

void MetadataStateMachine::add_observer(MetadataObserver& observer) {
  observers_.push_back(&observer);
}

void MetadataStateMachine::remove_observer(MetadataObserver& observer) {
  std::erase(observers_, &observer);
}

Result<std::vector<MetadataEvent>> read_entry(ByteView batch) {
  protocol::RecordScratch scratch;
  TRY_ASSIGN(protocol::RecordReader reader, protocol::RecordReader::open(batch, scratch));
  std::vector<MetadataEvent> events;
  protocol::Record record;
  while (reader.next(record)) {
    Result<std::optional<MetadataEvent>> event = decode_event(record.value.value_or(ByteView{}));
    if (!event) {
      return Error{event.error().code,
                   fmt::format("offset {}: {}", record.offset, event.error().message)};
    }
    if (*event) events.push_back(std::move(**event));
  }
  if (!reader.ok()) {
    return Error{Errc::corrupt, fmt::format("the metadata entry at offset {}: {}",
                                            reader.header().base_offset, reader.problem())};
  }
  return events;
}

Result<SharedBytes> write_entry(const std::vector<MetadataEvent>& events, Timestamp now) {
  if (events.empty()) return Error{Errc::invalid_argument, "a proposal without events"};
  protocol::BatchBuilder batch{protocol::BatchOptions{}};
  for (const MetadataEvent& event : events) {
    Writer writer;
    encode_event(writer, event);
    const Bytes bytes = writer.take_bytes();
    // Whatever is in the log must come back from it as it was applied.
    const Result<std::optional<MetadataEvent>> again = decode_event(bytes);
    if (!again || !*again || **again != event) {
      return Error{
          Errc::invalid_argument,
          fmt::format("a {} event cannot be stored as it is: text over 32,767 bytes or not "
                      "UTF-8, or a list of over a million elements",
                      event_name(event))};
    }
    if (batch.plain_size() + bytes.size() > entry_bytes_max) {
      return Error{Errc::too_large,
                   fmt::format("{} metadata events are over {} MiB together: propose fewer at once",
                               events.size(), entry_bytes_max >> 20)};
    }
    batch.append(now, std::nullopt, bytes);
  }
  return batch.build();
}

}  // namespace chronik::metadata
