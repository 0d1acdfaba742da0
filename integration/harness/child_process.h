// A program that a test started. It is ended by its id, at the latest by the destructor, and by the
// kernel when the test process dies. Not thread safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace chronik::integration {

class ChildProcess {
 public:
  ChildProcess() = default;
  /// Starts `command` (command[0] is a path or found in PATH); its stdout and stderr are appended
  /// to `log_file`. `environment` ("NAME=value") is added to this process's. A program that cannot
  /// be started exits with status 127.
  ChildProcess(const std::vector<std::string>& command, const std::string& log_file,
               const std::vector<std::string>& environment = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  bool running();
  pid_t id() const { return pid_; }
  /// SIGSTOP: it stands still on return.
  void send_signal(int signal) const;
  /// Waits for the end, at most `limit`; nothing when it still runs then. The status is as in the
  /// shell: the exit status, or 128 + the signal.
  std::optional<int> wait(std::chrono::milliseconds limit);
  /// SIGKILL, and waits for the end.
  void kill();

 private:
  pid_t pid_ = -1;
  int descriptor_ = -1;  // pidfd: readable once the process has ended
  std::optional<int> status_;
};

/// Runs `command` to its end and gives its status; used for short programs.
int run_program(const std::vector<std::string>& command, const std::string& log_file,
                std::chrono::seconds limit = std::chrono::seconds(120));

}  // namespace chronik::integration
