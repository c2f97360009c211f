#include "base/worker_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace air {

namespace {

/// The ends that this process reads from. A worker closes those of the workers before it: a pipe
/// that a sibling holds open would never tell its writer that nobody reads.
std::vector<int>& read_ends() {
  static std::vector<int> ends;
  return ends;
}

void close_read_end(int& fd) {
  if (fd < 0) return;
  std::erase(read_ends(), fd);
  ::close(fd);
  fd = -1;
}

/// Nobody reads any more when the process that made this one is gone: then this one is stopped too.
/// Work of which nothing can be said is ended.
void send_line(int fd, const std::string& line) {
  const std::string whole = line + "\n";
  for (std::string_view left = whole; !left.empty();) {
    const ssize_t count = ::write(fd, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE) return;
    if (count < 0) {
      spdlog::error("can't tell the process that made it: {}", std::strerror(errno));
      ::_exit(static_cast<int>(ErrorKind::kResource));
    }
    left.remove_prefix(static_cast<size_t>(count));
  }
}

[[noreturn]] void run_worker(pid_t parent, int fd,
                             const std::function<int(const SendLine&)>& work) {
  for (const int end : read_ends()) ::close(end);
  ::signal(SIGINT, SIG_IGN);  // Ctrl-C of a terminal goes to all its processes
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);  // it ended in between
  const int code = work([fd](const std::string& line) { send_line(fd, line); });
  std::fflush(stdout);
  ::_exit(code);
}

}  // namespace

void log_as_worker(const std::string& name, bool is_first) {
  set_log_name("air: " + name);
  if (!is_first && spdlog::get_level() == spdlog::level::info)
    spdlog::set_level(spdlog::level::warn);
}

WorkerProcess::WorkerProcess(std::string name, const std::function<int(const SendLine&)>& work)
    : name_(std::move(name)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Error(ErrorKind::kResource, name_, std::string("no pipe: ") + std::strerror(errno));
  std::fflush(nullptr);  // what is buffered would be written by both
  const pid_t self = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    run_worker(self, ends[1], work);
  }
  ::close(ends[1]);
  if (pid_ < 0) {
    ::close(ends[0]);
    throw Error(ErrorKind::kResource, name_, std::string("no process: ") + std::strerror(errno));
  }
  fd_ = ends[0];
  read_ends().push_back(fd_);
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      fd_(std::exchange(other.fd_, -1)),
      exit_code_(other.exit_code_),
      stopped_(other.stopped_),
      rest_(std::move(other.rest_)) {}

WorkerProcess::~WorkerProcess() {
  stop();
  wait();
  close_read_end(fd_);
}

std::vector<std::string> WorkerProcess::read_lines() {
  constexpr size_t kBlock = 1 << 16;
  std::vector<std::string> lines;
  if (fd_ < 0) return lines;
  std::string block(kBlock, '\0');
  const ssize_t count = ::read(fd_, block.data(), block.size());
  if (count < 0 && errno == EINTR) return lines;
  if (count < 0)
    throw Error(ErrorKind::kResource, name_,
                std::string("its process can't be heard: ") + std::strerror(errno));
  if (count == 0) {
    close_read_end(fd_);
    return lines;
  }
  rest_.append(block, 0, static_cast<size_t>(count));
  size_t begin = 0;
  for (size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(rest_.substr(begin, end - begin));
  rest_.erase(0, begin);
  return lines;
}

void WorkerProcess::stop() {
  if (pid_ > 0 && !std::exchange(stopped_, true)) ::kill(pid_, SIGTERM);
}

std::string WorkerProcess::wait() {
  if (pid_ < 0) return "";
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFEXITED(status)) exit_code_ = WEXITSTATUS(status);
  if (!WIFSIGNALED(status) || (stopped_ && WTERMSIG(status) == SIGTERM)) return "";
  const int number = WTERMSIG(status);
  return "was killed by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
}

}  // namespace air
