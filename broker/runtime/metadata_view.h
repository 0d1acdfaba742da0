// MetadataView: metadata as every shard sees it. The store lives on the first shard; each new image
// is handed to the others as a message, so reading is a pointer of one's own and no lock. Who
// proposed a change finds it in his shard's image when propose() returns.
#pragma once

#include <memory>
#include <vector>

#include "broker/runtime/shard.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

class MetadataView final : public metadata::MetadataObserver {
 public:
  /// Made and destroyed on the first shard; both must outlive it.
  MetadataView(Shards& shards, metadata::MetadataStore& store);
  MetadataView(const MetadataView&) = delete;
  MetadataView& operator=(const MetadataView&) = delete;
  ~MetadataView() override;

  /// The image as of now on the calling shard; never null.
  const std::shared_ptr<const metadata::Image>& image() const;

  /// Who decides, as the calling shard knows it.
  metadata::Leadership leadership() const;

  /// Brokers that cannot be reached from this one at the moment: they get no new partition by it,
  /// also before the leader has fenced them, or where there is none yet. On the first shard.
  void set_absent(std::vector<BrokerId> brokers);
  bool is_absent(BrokerId broker) const;

  /// MetadataStore::propose, from any shard: durable and applied, here too, on return.
  Task<Result<metadata::ApplyResults>> propose(std::vector<metadata::MetadataEvent> events);

 private:
  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;
  void on_leadership(const metadata::Leadership& leadership) override;

  // One cache line each, so that a shard's reads do not meet another's writes.
  struct alignas(64) Seen {
    std::shared_ptr<const metadata::Image> image;
    metadata::Leadership leadership;
    std::vector<BrokerId> absent;
  };

  Shards& shards_;
  metadata::MetadataStore& store_;
  // Shared with the messages under way.
  std::shared_ptr<std::vector<Seen>> seen_;
};

}  // namespace chronik::broker
