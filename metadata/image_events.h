// An image as the events that make it out of an empty one: what a snapshot holds, what a dump
// prints, and what two images are compared by. Pure; may run on any thread, since an image never
// changes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "metadata/events.h"
#include "metadata/image.h"

namespace chronik::metadata {

/// Gives the events one by one, so that a large image can be written in slices. Equal images give
/// equal events in equal order, whatever their history (but for keys whose 64-bit hashes are
/// equal).
class ImageEvents {
 public:
  explicit ImageEvents(std::shared_ptr<const Image> image);

  /// Nothing at the end.
  std::optional<MetadataEvent> next();

 private:
  enum class Stage {
    cluster,
    features,
    brokers,
    fenced,
    producer_ids,
    configs,
    topics,
    groups,
    end
  };

  std::optional<MetadataEvent> next_of_stage();
  std::optional<MetadataEvent> cluster();
  std::optional<MetadataEvent> feature();
  std::optional<MetadataEvent> broker();
  std::optional<MetadataEvent> fenced();
  std::optional<MetadataEvent> producer_ids();
  std::optional<MetadataEvent> config();
  std::optional<MetadataEvent> topic();
  std::optional<MetadataEvent> group();
  std::optional<MetadataEvent> offsets();

  const std::shared_ptr<const Image> image_;
  Stage stage_ = Stage::cluster;
  std::map<std::string, std::int16_t, std::less<>>::const_iterator feature_;
  std::map<BrokerId, std::shared_ptr<const BrokerRegistered>>::const_iterator broker_;
  std::set<BrokerId>::const_iterator fenced_;
  decltype(Image::configs_)::Cursor configs_;
  decltype(Image::topics_by_id_)::Cursor topics_;
  decltype(Image::groups_)::Cursor groups_;
  const Group* group_ = nullptr;  // whose offsets are next
  std::optional<OffsetTable::Cursor> offsets_;
};

/// Equal for images of equal content (the applied index and offset do not count).
std::uint64_t image_hash(std::shared_ptr<const Image> image);

/// One line an event, sorted.
std::string dump_image(std::shared_ptr<const Image> image);

}  // namespace chronik::metadata
