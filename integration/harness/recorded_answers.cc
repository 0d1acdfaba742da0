#include "integration/harness/recorded_answers.h"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/testing/source_tree.h"

namespace chronik::integration {

namespace {

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), by);
    at += by.size();
  }
}

}  // namespace

RecordedAnswers::RecordedAnswers(const std::string& file, Settings settings)
    : path_(in_source_tree("integration/process/testdata/" + file)), broker_(std::move(settings)) {
  connect();
}

RecordedAnswers::Deadline RecordedAnswers::in_a_minute() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(60);
}

bool RecordedAnswers::over(Deadline deadline) {
  return std::chrono::steady_clock::now() > deadline;
}

void RecordedAnswers::connect() { connection_.emplace(broker_.host(), broker_.port()); }

void RecordedAnswers::call_it(std::string text, std::string name) {
  names_.emplace_back(std::move(text), std::move(name));
}

void RecordedAnswers::add(std::string_view message, std::int16_t version, const std::string& what,
                          std::string answer) {
  static const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}");
  static const std::regex host("\"host\":\"127[0-9.]*\"");
  static const std::regex peer("/127[0-9.]*");
  static const std::regex port("\"port\":[0-9]+");
  for (const auto& [text, name] : names_) replace_all(answer, text, name);
  answer = std::regex_replace(answer, uuid, "UUID");
  answer = std::regex_replace(answer, host, "\"host\":\"HOST\"");
  answer = std::regex_replace(answer, peer, "/HOST");
  answer = std::regex_replace(answer, port, "\"port\":PORT");
  const std::string_view api = message.substr(0, message.size() - std::string("Request").size());
  text_ += std::string(api) + " v" + std::to_string(version) + " " + what + "\n  " + answer + "\n";
}

void RecordedAnswers::expect_as_recorded() const {
  if (std::getenv("CHRONIK_REWRITE") != nullptr) std::ofstream(path_) << text_;
  std::ifstream recorded(path_);
  ASSERT_TRUE(recorded) << path_ << " is missing";
  std::istringstream now(text_);
  std::string expected, actual, request;
  while (std::getline(recorded, expected)) {
    ASSERT_TRUE(std::getline(now, actual)) << "ends before: " << expected;
    EXPECT_EQ(expected, actual) << request;
    if (!expected.starts_with(" ")) request = expected;
  }
  EXPECT_FALSE(std::getline(now, actual)) << "there is more: " << actual;
}

}  // namespace chronik::integration
