#include "broker/cli/health.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>
#include <thread>

#include "base/memory_disk.h"
#include "broker/cli/run.h"
#include "broker/server.h"

namespace chronik::broker::cli {
namespace {

using testing::HasSubstr;

constexpr milliseconds patience{20'000};

/// A listening socket of which nobody takes connections before talk() does.
class Stranger {
 public:
  Stranger() {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_, 1), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Stranger() {
    if (talking_.joinable()) talking_.join();
    close();
  }
  std::uint16_t port() const { return port_; }
  void close() {
    if (listening_ >= 0) ::close(listening_);
    listening_ = -1;
  }
  /// Takes one connection, hears what it wants, says `text`, and closes.
  void talk(std::string text) {
    talking_ = std::thread([this, text = std::move(text)] {
      const int fd = ::accept(listening_, nullptr, nullptr);
      char heard[256];
      EXPECT_GT(::recv(fd, heard, sizeof heard, 0), 0);
      EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(text.size()));
      ::close(fd);
    });
  }

 private:
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::thread talking_;
};

class Health : public testing::Test {
 protected:
  std::unique_ptr<Server> start() {
    StartSources sources;
    sources.flags = {"--listeners=PLAINTEXT://127.0.0.1:0", "--log.dirs=/data"};
    StartConfig config = read_start_config(sources).value();
    Settings settings = start_settings(config).value();
    return Server::start(std::move(config), std::move(settings), disk_, clock_).value();
  }
  int run(const std::vector<std::string>& arguments) {
    std::ostringstream out, err;
    const Programs programs{};
    const int code = cli::run(arguments, {environment_, disk_, programs, {out, err, false}});
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  MemoryDisk disk_;
  SystemClock clock_;
  Environment environment_;
  std::string out_;
  std::string err_;
};

TEST_F(Health, ABrokerIsHealthyWhileItRuns) {
  const std::unique_ptr<Server> server = start();
  const std::uint16_t port = server->listeners().front().port;
  const std::string flag = "--listeners=PLAINTEXT://127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(run({"health", flag}), exit_fine);
  EXPECT_EQ(out_, "the broker on 127.0.0.1:" + std::to_string(port) + " answers\n");
  // From the environment, as in a container, and by name.
  environment_.emplace_back("CHRONIK_LISTENERS", "PLAINTEXT://:" + std::to_string(port));
  EXPECT_EQ(run({"health"}), exit_fine);
  EXPECT_EQ(out_, "the broker on localhost:" + std::to_string(port) + " answers\n");
  server->stop(milliseconds(0));
  EXPECT_EQ(run({"health", flag}), exit_failed);
  EXPECT_EQ(err_, "chronik: no broker answers on 127.0.0.1:" + std::to_string(port) +
                      ": Connection refused\n");
  EXPECT_EQ(out_, "");
}

TEST_F(Health, WhatServeWouldRefuseIsAMistakeHereToo) {
  EXPECT_EQ(run({"health", "--listener=PLAINTEXT://:1"}), exit_misused);
  EXPECT_THAT(err_, HasSubstr("did you mean listeners?"));
}

TEST_F(Health, ABrokerThatHangsIsNotHealthy) {
  const Stranger stranger;
  const Result<void> asked = ask_health("127.0.0.1", stranger.port(), milliseconds(20));
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, Errc::timeout);
  EXPECT_EQ(asked.error().message, "no answer within 20 ms");
}

TEST_F(Health, WhoClosesIsNotHealthy) {
  for (const std::string& said : {std::string(), std::string("\0\0\0\x0a\0\0", 6)}) {
    Stranger stranger;
    stranger.talk(said);
    const Result<void> asked = ask_health("127.0.0.1", stranger.port(), patience);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, Errc::io);
    EXPECT_EQ(asked.error().message, "the connection was closed without an answer");
  }
}

TEST_F(Health, WhoSaysSomethingElseIsNoBroker) {
  const std::string answers[] = {
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      // A whole frame: another correlation id; no API list; one byte too many.
      std::string("\0\0\0\x0a\0\0\0\x02\0\0\0\0\0\0", 14),
      std::string("\0\0\0\x06\0\0\0\x01\0\0", 10),
      std::string("\0\0\0\x0b\0\0\0\x01\0\0\0\0\0\0\0", 15),
  };
  for (const std::string& said : answers) {
    Stranger stranger;
    stranger.talk(said);
    const Result<void> asked = ask_health("127.0.0.1", stranger.port(), patience);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, Errc::corrupt) << asked.error().message;
  }
}

TEST_F(Health, AnErrorIsNoHealth) {
  Stranger stranger;
  stranger.talk(std::string("\0\0\0\x0a\0\0\0\x01\0\x23\0\0\0\0", 14));
  const Result<void> asked = ask_health("127.0.0.1", stranger.port(), patience);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().message, "it answers with error 35");
}

TEST_F(Health, AHostThatIsNotThere) {
  const Result<void> asked = ask_health("no-such-host.invalid", 9092, patience);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, Errc::not_found);
}

}  // namespace
}  // namespace chronik::broker::cli
