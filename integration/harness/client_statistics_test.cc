#include "integration/harness/client_statistics.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace chronik::integration {
namespace {

std::string statistics(int broker, int leader) {
  return fmt::format(
      R"({{"msg_cnt": 11, "eos": {{"idemp_state": "Assigned", "idemp_stateage": 34000}},
           "brokers": {{"b/5": {{"nodeid": 5, "state": "UP", "waitresp_cnt": 0}}}},
           "topics": {{"t": {{"partitions": {{"3": {{"broker": {}, "leader": {},
             "msgq_cnt": 0, "xmit_msgq_cnt": 0, "msgs_inflight": 0}}}}}}}}}})",
      broker, leader);
}

TEST(ClientStatistics, SayWhichNodeIsAskedInsteadOfTheLeader) {
  EXPECT_TRUE(asks_another_than_the_leader(statistics(5, 4)));
  EXPECT_NE(describe_open(statistics(5, 4)).find("t-3: 0 wait, 0 sent, leader 4, node 5 is asked"),
            std::string::npos);
}

TEST(ClientStatistics, NoLeaderAndNobodyAskedIsNotAstray) {
  EXPECT_FALSE(asks_another_than_the_leader(statistics(4, 4)));
  EXPECT_FALSE(asks_another_than_the_leader(statistics(-1, 4)));
  EXPECT_FALSE(asks_another_than_the_leader(statistics(5, -1)));
  EXPECT_FALSE(asks_another_than_the_leader("no JSON"));
  EXPECT_EQ(describe_open(statistics(4, 4)), "11 records open, idempotence Assigned for 34 s");
}

}  // namespace
}  // namespace chronik::integration
