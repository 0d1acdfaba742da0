#include "integration/harness/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace chronik::integration {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::string& log_file,
                           const std::vector<std::string>& environment) {
  const std::vector<char*> arguments = pointers(command);
  std::vector<std::string> variables(environment);
  for (char** v = environ; *v != nullptr; ++v) variables.emplace_back(*v);
  const std::vector<char*> environment_pointers = pointers(variables);
  const pid_t parent = getpid();

  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    // Only async-signal-safe calls from here on: librdkafka's threads may hold any lock.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0) _exit(127);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close_range(3, ~0U, 0);
    execvpe(arguments[0], arguments.data(), environment_pointers.data());
    _exit(127);
  }
  descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  CHECK(descriptor_ >= 0);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
    descriptor_ = std::exchange(other.descriptor_, -1);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

ChildProcess::~ChildProcess() { kill(); }

bool ChildProcess::running() {
  return pid_ >= 0 && !wait(std::chrono::milliseconds(0)).has_value();
}

void ChildProcess::send_signal(int signal) const {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, signal);
  if (signal != SIGSTOP) return;
  // The first of its threads that runs stops the others: until then they work on.
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT);
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds limit) {
  if (pid_ < 0 || status_) return status_;
  pollfd ended{descriptor_, POLLIN, 0};
  if (poll(&ended, 1, static_cast<int>(limit.count())) != 1) return std::nullopt;
  int status = 0;
  CHECK(waitpid(pid_, &status, 0) == pid_);
  close(std::exchange(descriptor_, -1));
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return status_;
}

void ChildProcess::kill() {
  if (pid_ < 0 || status_) return;
  send_signal(SIGKILL);
  CHECK(wait(std::chrono::minutes(1)).has_value());
}

int run_program(const std::vector<std::string>& command, const std::string& log_file,
                std::chrono::seconds limit) {
  ChildProcess process(command, log_file);
  return process.wait(limit).value_or(-1);
}

}  // namespace chronik::integration
