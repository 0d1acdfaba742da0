#include "broker/api/await_leaders.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

namespace {

constexpr milliseconds wait_max{1'000};

/// Goes over the partitions in order; what had a leader once is not looked at again.
class Leaderless {
 public:
  Leaderless(const MetadataView& view, std::vector<Uuid> topics)
      : view_(view), topics_(std::move(topics)) {}

  bool any() {
    const std::shared_ptr<const metadata::Image> image = view_.image();
    for (; at_ < topics_.size(); ++at_, next_ = 0) {
      const metadata::Topic* topic = image->topic(topics_[at_]);
      if (topic == nullptr) continue;
      for (; next_ < topic->partition_count(); ++next_) {
        if (view_.leader_of(*topic, next_).leader < 0) return true;
      }
    }
    return false;
  }

 private:
  const MetadataView& view_;
  const std::vector<Uuid> topics_;
  std::size_t at_ = 0;
  PartitionId next_ = 0;
};

}  // namespace

Task<void> await_leaders(RequestContext& context, std::vector<Uuid> topics, milliseconds timeout) {
  MetadataView& view = *context.broker().metadata;
  Leaderless leaderless(view, std::move(topics));
  const SteadyTime limit = context.shard().now() + std::min(timeout, wait_max);
  while (context.shard().now() < limit && leaderless.any()) {
    Task<void> news = view.leader_news(limit);
    co_await std::move(news);
  }
}

}  // namespace chronik::broker
