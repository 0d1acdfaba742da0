// Answers of a broker, line by line, beside those recorded from Apache Kafka 4.4: one line for the
// request (API, version, what it asks), one for the answer as JSON. What is random (ids, ports) is
// made equal before. To record anew:
//   TEST_BROKER=kafka CHRONIK_REWRITE=1 integration_test --gtest_filter='*Answers*'
// Where chronik means to differ there is no line but a test of its own.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "integration/harness/broker_process.h"
#include "integration/harness/protocol_client.h"

namespace chronik::integration {

class RecordedAnswers {
 public:
  /// Starts a broker. `file` is in integration/process/testdata.
  explicit RecordedAnswers(const std::string& file, Settings settings = {});

  /// Adds request and answer to the record. `make_equal` takes out of the answer what may differ.
  /// A request that is not answered fails the test; the answer is then empty.
  template <class Request, class MakeEqual>
  typename Request::Response show(const std::string& what, std::int16_t version,
                                  const Request& request, MakeEqual make_equal) {
    auto response = call(*connection_, request, version);
    if (!response) {
      ADD_FAILURE() << Request::message_name << " v" << version << " " << what
                    << " is not answered";
      connect();
      return {};
    }
    const typename Request::Response answer = *response;
    make_equal(*response);
    add(Request::message_name, version, what, protocol::to_json(version, *response));
    return answer;
  }
  template <class Request>
  typename Request::Response show(const std::string& what, std::int16_t version,
                                  const Request& request) {
    return show(what, version, request, [](auto&) {});
  }

  /// Asks again until the answer is as it should be: Kafka has a new topic only a little later.
  template <class Request, class Ready>
  typename Request::Response await(std::int16_t version, const Request& request, Ready ready) {
    for (const Deadline deadline = in_a_minute(); !over(deadline);) {
      auto response = call(*connection_, request, version);
      if (response && ready(*response)) return *response;
    }
    ADD_FAILURE() << Request::message_name << ": the answer never gets what it should be";
    return {};
  }

  /// From now on `text` is written as `name`: for what is random.
  void call_it(std::string text, std::string name);

  /// The end of the test: every line is Kafka's.
  void expect_as_recorded() const;

  BrokerProcess& broker() { return broker_; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  static Deadline in_a_minute();
  static bool over(Deadline deadline);
  void connect();
  void add(std::string_view message, std::int16_t version, const std::string& what,
           std::string answer);

  const std::string path_;
  BrokerProcess broker_;
  std::optional<RawConnection> connection_;
  std::vector<std::pair<std::string, std::string>> names_;
  std::string text_;
};

}  // namespace chronik::integration
