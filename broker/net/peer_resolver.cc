#include "broker/net/peer_resolver.h"

#include <fmt/core.h>
#include <netdb.h>
#include <pthread.h>

#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"

namespace chronik::broker {

namespace {

struct Question {
  std::string host;
  std::uint16_t port = 0;
  std::shared_ptr<PeerResolver::Done> done;
};

PeerResolver::Addresses ask(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) {
    return Error{Errc::not_found,
                 fmt::format("the host {} is unknown: {}", host, ::gai_strerror(failed))};
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  if (addresses.empty()) {
    return Error{Errc::not_found, fmt::format("the host {} has no address", host)};
  }
  return addresses;
}

}  // namespace

// Outlives the resolver where the thread is still asking the system.
struct PeerResolver::State {
  std::mutex mutex;
  Shard* shard = nullptr;  // null when the resolver is gone
  std::deque<Question> questions;
  bool running = false;

  static void run(const std::shared_ptr<State>& state) {
    pthread_setname_np(pthread_self(), "resolver");
    for (;;) {
      Question question;
      {
        std::lock_guard lock(state->mutex);
        if (state->shard == nullptr || state->questions.empty()) {
          state->running = false;
          return;
        }
        question = std::move(state->questions.front());
        state->questions.pop_front();
      }
      Addresses answer = ask(question.host, question.port, AI_ADDRCONFIG);
      // Under the lock: the shard may end as soon as the resolver is gone.
      std::lock_guard lock(state->mutex);
      if (state->shard == nullptr) continue;
      state->shard->post([state, done = std::move(question.done), answer = std::move(answer)] {
        // Only this shard sets it to null.
        if (state->shard != nullptr) (*done)(answer);
      });
    }
  }
};

PeerResolver::PeerResolver(Shard& shard) : state_(std::make_shared<State>()) {
  state_->shard = &shard;
}

PeerResolver::~PeerResolver() {
  std::lock_guard lock(state_->mutex);
  state_->shard = nullptr;
  state_->questions.clear();
}

void PeerResolver::resolve(const std::string& host, std::uint16_t port, Done done) {
  Addresses numeric = ask(host, port, AI_NUMERICHOST);
  if (numeric) return done(std::move(numeric));
  std::lock_guard lock(state_->mutex);
  state_->questions.push_back({host, port, std::make_shared<Done>(std::move(done))});
  if (std::exchange(state_->running, true)) return;
  std::thread([state = state_] { State::run(state); }).detach();
}

}  // namespace chronik::broker
