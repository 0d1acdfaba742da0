#include "broker/net/endpoint.h"

#include <gtest/gtest.h>

namespace chronik::broker {
namespace {

TEST(EndpointTest, KafkasSpellings) {
  EXPECT_EQ(parse_endpoint("PLAINTEXT://0.0.0.0:9092").value(),
            (Endpoint{"PLAINTEXT", "0.0.0.0", 9092}));
  EXPECT_EQ(parse_endpoint(" plaintext://:0 ").value(), (Endpoint{"PLAINTEXT", "", 0}));
  EXPECT_EQ(parse_endpoint("PLAINTEXT://[::1]:9092").value(), (Endpoint{"PLAINTEXT", "::1", 9092}));
  EXPECT_EQ(parse_endpoint("PLAINTEXT://[::1]:9092").value().to_string(), "PLAINTEXT://[::1]:9092");
  EXPECT_EQ(parse_endpoints("PLAINTEXT://a:1,OTHER://b:2").value().size(), 2u);
}

TEST(EndpointTest, MistakesAreNamed) {
  for (const char* bad :
       {"", "9092", "localhost:9092", "://a:1", "PLAINTEXT://a", "PLAINTEXT://a:x",
        "PLAINTEXT://a:65536", "PLAINTEXT://a:", "PLAINTEXT://::1:9092",
        "PLAINTEXT://a:1,PLAINTEXT://b:2", "PLAINTEXT://a:1,OTHER://b:1"}) {
    const Result<std::vector<Endpoint>> parsed = parse_endpoints(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace chronik::broker
