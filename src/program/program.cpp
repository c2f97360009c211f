#include "program/program.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/mapped_watch.h"
#include "base/visible_text.h"
#include "program/command_line.h"

namespace air {

namespace {

constexpr int kExitInterrupted = 130;

const Program* running = nullptr;  // for what ends the process from anywhere

void print_error(const std::string& where, const std::string& what, const std::string& hint) {
  const bool color = log_has_color();
  std::string text = color ? "air: \x1b[31merror\x1b[0m: " : "air: error: ";
  if (!where.empty()) text += visible_text(where) + ": ";
  text += visible_text(what) + "\n";
  if (!hint.empty()) text += "hint: " + visible_text(hint) + "\n";
  std::fputs(text.c_str(), stderr);
}

/// @return the exit code.
int report_error(const std::exception& e) {
  const Error error = running->explain(e);
  print_error(error.where(), error.what(), error.hint());
  return static_cast<int>(error.kind());
}

/// Writes without allocating. What can't be written is lost.
void write_words(std::initializer_list<const char*> words) {
  for (const char* word : words)
    if (::write(STDERR_FILENO, word, std::strlen(word)) < 0) return;
}

/// An error that nothing catches, such as memory that runs out in a function that promised not to
/// fail: said like any other.
[[noreturn]] void end_by_uncaught() {
  int code = static_cast<int>(ErrorKind::kBug);
  try {
    if (const auto error = std::current_exception()) std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    write_words({"air: error: out of memory\n"});
    code = static_cast<int>(ErrorKind::kResource);
  } catch (const std::exception& e) {
    code = report_error(e);
  } catch (...) {
    write_words({"air: error: unexpected: an unknown exception\n"});
  }
  ::_exit(code);
}

/// SIGBUS: a model's file became shorter under its mapping, or could not be read. There is no way
/// back into the computation.
extern "C" void end_by_lost_file(int, siginfo_t* info, void*) {
  const auto file = mapped_at(info->si_addr);
  if (!file) {
    std::signal(SIGBUS, SIG_DFL);  // a fault of ours: the instruction raises it again
    return;
  }
  write_words(
      {"air: error: ", file->path, ": became shorter while it was used, or can't be read\n",
       "hint: what was finished is kept: --resume continues when the file is whole again\n"});
  ::_exit(static_cast<int>(file->kind));
}

void watch_faults() {
  std::set_terminate(end_by_uncaught);
  struct sigaction action {};
  action.sa_sigaction = end_by_lost_file;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

/// A standard stream that is closed would give its number to the next file that is opened, and that
/// file would get our messages. What is opened in its place refuses to be read or written.
void hold_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // the lowest free number: fd
}

/// Temporaries come and go with every layer: those of up to 32 MiB (the most that glibc allows
/// here) are kept in the heap, so that their pages are not returned and faulted in anew; larger
/// ones, which long traces bring, are returned.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

}  // namespace

void end_program(const std::exception& error) noexcept { ::_exit(report_error(error)); }

void run_program(int argc, char** argv, const Program& program) {
  running = &program;
  hold_standard_streams();
  watch_faults();
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, answered by ClosedPipe
  std::signal(SIGXFSZ,
              SIG_IGN);  // so is a file at the limit of its size, answered like a full disk
  keep_freed_memory();
  init_log(Verbosity::kNormal, When::kAuto);
  int code = 0;
  try {
    run_command_line(argc, argv, program);
  } catch (const ClosedPipe&) {
  } catch (const Interrupted& e) {
    print_error("", "interrupted", e.message);
    code = kExitInterrupted;
  } catch (const std::exception& e) {
    code = report_error(e);
  }
  // --help, --version and --print-config are written here.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && code == 0 && errno != EPIPE) {
    print_error("<stdout>", std::string("writing failed: ") + std::strerror(errno), "");
    code = static_cast<int>(ErrorKind::kResource);
  }
  // The destructors of libtorch's globals take time and do nothing for us.
  ::_exit(code);
}

}  // namespace air
