#include "integration/sim/image_checker.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "metadata/image_events.h"

namespace chronik::sim {

using metadata::Image;

ImageChecker::ImageChecker(Verdict& verdict, std::uint64_t seed)
    : verdict_(verdict), random_(seed), states_(1) {
  states_[0].image = machine_.image();
}

void ImageChecker::on_commit(const raft::Entry& entry) {
  State state;
  if (entry.kind == raft::EntryKind::data) {
    Result<metadata::ApplyResults> applied = machine_.apply(entry.index, entry.payload.view());
    if (!applied) {
      return verdict_.fail(
          Promise::equal_images,
          fmt::format("entry {} cannot be applied: {}", entry.index, applied.error().message));
    }
    state.results = std::move(*applied);
  } else {
    (void)machine_.apply(entry.index, machine_.applied_offset(), {});
  }
  machine_.publish();
  state.image = machine_.image();
  states_.push_back(std::move(state));
}

void ImageChecker::check(NodeId id, const std::shared_ptr<const Image>& image, How how) {
  const auto index = static_cast<std::size_t>(image->applied_index());
  if (index >= states_.size()) {
    return verdict_.fail(
        Promise::equal_images,
        fmt::format("node {} has applied {}, and {} is committed", id, index, states_.size() - 1));
  }
  State& model = states_[index];
  const auto counts = [](const Image& of) {
    return std::tuple(of.applied_offset(), of.topic_count(), of.partition_count(), of.group_count(),
                      of.offset_count(), of.next_producer_id());
  };
  if (counts(*image) != counts(*model.image)) {
    return verdict_.fail(Promise::equal_images,
                         fmt::format("node {} at entry {} has {} topics, {} offsets; its image "
                                     "should have {}, {}",
                                     id, index, image->topic_count(), image->offset_count(),
                                     model.image->topic_count(), model.image->offset_count()));
  }
  if (how == How::sampled && !random_.one_in(12)) return;
  ++compared_;
  if (model.hash == 0) model.hash = metadata::image_hash(model.image);
  if (metadata::image_hash(image) == model.hash) return;
  verdict_.fail(Promise::equal_images,
                fmt::format("the image of node {} at entry {} is\n{}and should be\n{}", id, index,
                            metadata::dump_image(image), metadata::dump_image(model.image)));
}

}  // namespace chronik::sim
