// MetadataStateMachine: what the log of ("__meta", 0) makes of its entries, on every node alike:
// the image. It decides nothing about durability or order: whoever owns the log (MetaLogStore
// standalone, RaftMetaLog in a cluster) applies each durable entry once, in order, and then
// publishes. Nothing is written anywhere from here. On the shard of its owner.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/apply.h"
#include "metadata/image.h"
#include "metadata/metadata_store.h"

namespace chronik::metadata {

class MetadataStateMachine {
 public:
  /// `image`: a snapshot's, or an empty one.
  explicit MetadataStateMachine(
      std::shared_ptr<const Image> image = std::make_shared<const Image>());

  /// The image of the last publish().
  const std::shared_ptr<const Image>& image() const { return image_; }
  EntryIndex applied_index() const { return applied_index_; }
  Offset applied_offset() const { return applied_offset_; }

  /// The next entry, decoded: its index and the offset behind its last record.
  ApplyResults apply(EntryIndex index, Offset next_offset,
                     const std::vector<MetadataEvent>& events);
  /// The next entry as it lies in the log; one of Raft's own counts and changes nothing. The whole
  /// entry is read before any of it is applied. Errors: corrupt, unsupported (decode_event).
  Result<ApplyResults> apply(EntryIndex index, ByteView batch);
  /// What was applied since the last time becomes the image, and the observers are told. Nothing
  /// happens when nothing was applied.
  void publish();
  /// The state is this image from now on, a snapshot that was received; the observers are told what
  /// differs. Precondition: everything applied is published.
  void restore(std::shared_ptr<const Image> image);
  void tell_leadership(const Leadership& leadership);

  void add_observer(MetadataObserver& observer);
  void remove_observer(MetadataObserver& observer);

 private:
  ImageBuilder& builder();

  std::shared_ptr<const Image> image_;
  std::unique_ptr<ImageBuilder> builder_;  // null between publish() and the next apply()
  EntryIndex applied_index_;
  Offset applied_offset_;
  std::vector<MetadataObserver*> observers_;
};

/// The events of an entry that does not belong to Raft. Errors: corrupt, unsupported; the message
/// names the offset.
Result<std::vector<MetadataEvent>> read_entry(ByteView batch);

/// One entry of all `events`; base offset and leader epoch are for the log's owner to set.
/// Errors: invalid_argument (an event would not be read back as it is, which means text over 32,767
/// bytes, text that is not UTF-8 or an array of over a million elements; or there is no event),
/// too_large (over entry_bytes_max).
Result<SharedBytes> write_entry(const std::vector<MetadataEvent>& events, Timestamp now);

inline constexpr std::size_t entry_bytes_max = 64u << 20;

}  // namespace chronik::metadata
