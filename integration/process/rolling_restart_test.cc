// A rolling restart of a cluster under load: clients see nothing that they do not get over by
// themselves.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
constexpr int partitions = 6;

/// What clients were told that they had not expected. Any thread.
class Complaints {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    texts_.insert(text);
  }
  std::set<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(texts_, {});
  }

 private:
  std::mutex mutex_;
  std::set<std::string> texts_;
};

/// Topics, one after the other, as fast as they are answered. Of a request that was on its way when
/// a broker closed the connection, librdkafka's admin client says so and leaves it to its user to
/// ask again, with Kafka as well; everything else it gets over by itself.
class Creator {
 public:
  Creator(const std::string& bootstrap, Complaints& complaints)
      : admin_(bootstrap), complaints_(complaints) {}

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::string name = fmt::format("made-{}", made_.size());
      Outcome outcome = admin_.create_topic({.name = name});
      if (outcome.error == RD_KAFKA_RESP_ERR__TRANSPORT) {
        outcome = admin_.create_topic({.name = name});
        if (outcome.error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) outcome.error = no_error;
      }
      if (!outcome.ok()) {
        complaints_.add(
            fmt::format("create {}: {}", rd_kafka_err2name(outcome.error), outcome.message));
      }
      made_.push_back(name);
    }
  }
  const std::vector<std::string>& made() const { return made_; }

 private:
  Admin admin_;
  Complaints& complaints_;
  std::vector<std::string> made_;
};

/// Records to all partitions; never more under way than the client queues.
class Writer {
 public:
  Writer(const std::string& bootstrap, Complaints& complaints)
      : producer_(bootstrap, {{"enable.idempotence", "true"},
                              {"linger.ms", "1"},
                              {"queue.buffering.max.messages", "500"},
                              {"message.timeout.ms", "60000"}}),
        complaints_(complaints) {}

  void run(const std::stop_token& stop) {
    for (int number = 0; !stop.stop_requested(); ++number) {
      const std::int32_t partition = number % partitions;
      if (producer_.produce("t", partition, std::to_string(written_[partition])) == no_error) {
        ++written_[partition];
      }
      producer_.poll(std::chrono::milliseconds(1));
    }
    if (!producer_.flush()) complaints_.add("records are neither acknowledged nor refused");
    for (const Message& message : producer_.deliveries()) {
      if (message.error == no_error) continue;
      complaints_.add(fmt::format("record: {}", rd_kafka_err2name(message.error)));
    }
  }
  /// By partition.
  const std::map<std::int32_t, int>& written() const { return written_; }

 private:
  Producer producer_;
  Complaints& complaints_;
  std::map<std::int32_t, int> written_;
};

/// A member of a group that reads all partitions and commits.
class Reader {
 public:
  Reader(const std::string& bootstrap, Complaints& complaints)
      : consumer_(bootstrap, "g"), complaints_(complaints) {
    consumer_.subscribe({"t"});
  }

  void run(const std::stop_token& stop) {
    for (int turn = 0; !stop.stop_requested(); ++turn) {
      take(consumer_.poll(std::chrono::milliseconds(10)));
      if (turn % 20 == 19) commit();
    }
  }
  void commit() {
    const rd_kafka_resp_err_t error = consumer_.commit();
    if (error == no_error || error == RD_KAFKA_RESP_ERR__NO_OFFSET) return;
    complaints_.add(fmt::format("commit: {}", rd_kafka_err2name(error)));
  }
  /// Reads on until it has everything.
  bool reads_all(const std::map<std::int32_t, int>& written) {
    return eventually([&] {
      take(consumer_.poll(std::chrono::milliseconds(10)));
      return next_ == written;
    });
  }

 private:
  void take(const std::optional<Message>& message) {
    if (!message) return;
    if (message->error != no_error) {
      return complaints_.add(fmt::format("poll: {}", rd_kafka_err2name(message->error)));
    }
    int& next = next_[message->partition];
    const int number = std::stoi(*message->value);
    if (number > next) {
      complaints_.add(
          fmt::format("partition {}: {} where {} was expected", message->partition, number, next));
    }
    // After a rebalance what was not committed may come once more.
    next = std::max(next, number + 1);
  }

  Consumer consumer_;
  Complaints& complaints_;
  std::map<std::int32_t, int> next_;
};

TEST(RollingRestart, IsNotSeenByClients) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  ClusterProcesses cluster;
  const std::string all = cluster.bootstrap();
  ASSERT_TRUE(Admin(all).create_topic({.name = "t", .partitions = partitions}).ok());
  Complaints complaints;
  Creator creator(all, complaints);
  Writer writer(all, complaints);
  Reader reader(all, complaints);
  const auto start = [](auto& client) {
    return std::jthread([&client](const std::stop_token& stop) { client.run(stop); });
  };
  {
    const std::jthread threads[] = {start(creator), start(writer), start(reader)};
    // The one that leads last: so every restart but the last meets a follower, and once the leader.
    const int leader = cluster.leader(1);
    for (const int id : {leader % 3 + 1, (leader + 1) % 3 + 1, leader}) {
      EXPECT_EQ(cluster.node(id).stop(), 0);
      cluster.node(id).start();
      for (int other = 1; other <= 3; ++other) {
        EXPECT_TRUE(cluster.knows(other, 3)) << "after the restart of node " << id;
      }
      EXPECT_EQ(complaints.take(), std::set<std::string>{}) << "restart of node " << id;
    }
  }
  EXPECT_TRUE(reader.reads_all(writer.written()));
  reader.commit();
  EXPECT_EQ(complaints.take(), std::set<std::string>{});
  ASSERT_GT(creator.made().size(), 0u);
  const auto topics = Admin(all).topics();
  for (const std::string& name : creator.made()) EXPECT_TRUE(topics.contains(name)) << name;
}

}  // namespace
}  // namespace chronik::integration
