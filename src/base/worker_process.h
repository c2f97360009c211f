// A copy of this process that works by itself and tells the process that made it, line by line.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace air {

/// Sends a line without its '\n' to the process that made this one.
using SendLine = std::function<void(const std::string& line)>;

/// For the work of one of several processes: its messages begin with its name, and one that is not
/// the first says only what the first does not: warnings, and details where they are asked for.
void log_as_worker(const std::string& name, bool is_first);

/// A process made by fork: all that this one knows, it knows. Make it before anything starts
/// threads or a GPU: they do not survive in a copy. Ctrl-C does not reach it, stop() does; it is
/// stopped as well when this process ends in whatever way.
class WorkerProcess {
 public:
  /// @param work what it does; its result is the exit code. It must not throw.
  /// @param name for messages.   @throws Error(kResource) when no process can be made.
  WorkerProcess(std::string name, const std::function<int(const SendLine&)>& work);
  /// Stops it and waits for it.
  ~WorkerProcess();
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;

  const std::string& name() const { return name_; }
  /// To poll for what it sends; -1 after the last line.
  int fd() const { return fd_; }
  /// The whole lines that have come, without waiting longer than for the first bytes.
  /// @throws Error(kResource) when it can't be heard.
  std::vector<std::string> read_lines();
  /// Asks it to end (SIGTERM), once however often.
  void stop();
  /// Waits for its end. @return how it ended where that was not by its own exit code: "was killed
  /// by signal 9 (Killed)"; else empty.
  std::string wait();
  /// Its exit code, after wait(); 0 where a signal ended it.
  int exit_code() const { return exit_code_; }

 private:
  std::string name_;
  pid_t pid_ = -1;
  int fd_ = -1;
  int exit_code_ = 0;
  bool stopped_ = false;
  std::string rest_;  // a line that has not come whole
};

}  // namespace air
