#include "metadata/apply.h"
#include <gtest/gtest.h>
namespace chronik::metadata {
namespace {
TEST(ApplyEvent, Builds) {
  auto [image, result] = apply_event(std::make_shared<const Image>(), ClusterCreated{"c", 1});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(image->cluster_id(), "c");
}
}  // namespace
}  // namespace chronik::metadata
