// Server: the composition root: builds a broker from its settings, in order, and takes it down in
// reverse.
//
// start() returns when clients are served; stop() when every response begun has left (or its time
// is over), every log is durable and checkpointed, and all threads have ended. Both on the main
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "broker/settings/live_settings.h"
#include "broker/settings/settings.h"

namespace chronik::broker {

class Server {
 public:
  /// Asked now and then while the start waits for other nodes; true ends it.
  using GiveUp = std::function<bool()>;

  /// Opens the data directory (recovery happens here), then the listeners. `disk` and `clock`
  /// outlive the server. Errors, each one line that says what to do: another process has the
  /// directory, it is not writable, damaged, of a newer format, or of another node; a port is in
  /// use. In a cluster it waits until it has the metadata of a majority.
  static Result<std::unique_ptr<Server>> start(
      StartConfig config, Settings settings, Disk& disk, const Clock& clock,
      const GiveUp& give_up = [] { return false; });
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Where clients are listened for, with the ports that were bound.
  const std::vector<Listener>& listeners() const;
  const std::string& cluster_id() const;

  /// Ends connections (each gets the responses to what it asked, within `grace`), then everything
  /// else. Idempotent.
  void stop(milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace chronik::broker
