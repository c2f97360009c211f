#include "program/torch_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program_folder.h"
#include "base/strings.h"
#include "base/system_error.h"

namespace air {

namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "air-torch";

void set_environment() {
  const std::pair<const char*, const char*> settings[] = {
      // Idle compute threads must sleep, not spin: beside any busy neighbour spinning costs more
      // than the work itself (three times slower, measured).
      {"OMP_WAIT_POLICY", "passive"},
      {"GOMP_SPINCOUNT", "0"},
      // Code that oneDNN made for a size of matrices, and what libtorch keeps beside it. By default
      // they keep that of 1,024 sizes each, and batches have ever new ones: hundreds of MiB over a
      // long run.
      {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256"},
      {"LRU_CACHE_CAPACITY", "256"},
      // A GPU's memory in pieces that grow: batches of ever new sizes leave gaps between fixed
      // ones. Older libtorch knows the second name only.
      {"PYTORCH_ALLOC_CONF", "expandable_segments:True"},
      {"PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"},
  };
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  const bool own_threads = is_set("OMP_WAIT_POLICY") || is_set("GOMP_SPINCOUNT");
  const bool own_allocator = is_set("PYTORCH_ALLOC_CONF") || is_set("PYTORCH_CUDA_ALLOC_CONF");
  for (const auto& [name, value] : settings) {
    const std::string_view setting = name;
    if ((own_threads && setting.find("OMP_") != std::string_view::npos) ||
        (own_allocator && setting.ends_with("_ALLOC_CONF")))
      continue;  // both, or neither
    ::setenv(name, value, /*overwrite=*/0);
  }
}

/// What a program printed, and whether it ended as it should.
struct Answer {
  std::string text;
  bool has_failed = false;
};

/// Runs a program with one argument and one more variable in its environment ("NAME=value"); either
/// may be null. None when it can't be started.
std::optional<Answer> ask(const fs::path& program, const char* argument, const char* variable) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> environment;
  for (char** existing = environ; *existing != nullptr; ++existing)
    environment.push_back(*existing);
  std::string more = variable != nullptr ? variable : "";
  if (variable != nullptr) environment.push_back(more.data());
  environment.push_back(nullptr);
  std::string name = program.string();
  std::string word = argument != nullptr ? argument : "";
  char* arguments[] = {name.data(), argument != nullptr ? word.data() : nullptr, nullptr};
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, name.c_str(), &actions, nullptr, arguments, environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Answer answer;
  char block[4096];
  for (ssize_t size = 0; error == 0;) {
    size = ::read(ends[0], block, sizeof(block));
    if (size > 0) answer.text.append(block, static_cast<size_t>(size));
    if (size == 0 || (size < 0 && errno != EINTR)) break;
  }
  ::close(ends[0]);
  if (error != 0) return std::nullopt;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  answer.has_failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  return answer;
}

/// A program that the loader ends says so in words of its own, with an exit code of its own: the
/// loader is asked first, which takes 2 ms. It lists the libraries that the program needs, a line
/// each, and where they are, without running it.
void require_libraries(const fs::path& program) {
  const std::optional<Answer> answer = ask(program, nullptr, "LD_TRACE_LOADED_OBJECTS=1");
  if (!answer) return;  // what is wrong then is wrong with the start too, which says so
  std::vector<std::string> missing;
  std::istringstream lines(answer->text);
  for (std::string line; std::getline(lines, line);)
    if (const size_t arrow = line.find(" => not found"); arrow != std::string::npos)
      missing.push_back(line.substr(line.find_first_not_of("\t "), arrow - 1));
  if (!missing.empty())
    throw Error(ErrorKind::kResource, join(missing, ", "), "not found: this verb needs libtorch",
                "pip install \"torch==" AIR_TORCH_VERSION
                ".*\" in the environment of this air; LD_LIBRARY_PATH names the folder torch/lib "
                "of one that lies elsewhere");
  if (answer->has_failed)
    throw Error(ErrorKind::kResource, program.string(),
                "can't be started: " + answer->text.substr(0, answer->text.find('\n')),
                memory_limit_hint_of_torch());
}

/// Where the address space is limited, libtorch may find no room. The loader or libtorch's own
/// start then ends the process in words of its own, or in none: it is started once to see, which
/// takes a quarter of a second.
void require_room(const fs::path& program) {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  // Two starts do not take the same to the page, and what barely starts has no room to work.
  constexpr rlim_t kMargin = 16 << 20;
  struct rlimit less = limit;
  less.rlim_cur -= std::min(less.rlim_cur, kMargin);
  ::setrlimit(RLIMIT_AS, &less);
  const std::optional<Answer> answer = ask(program, "--version", nullptr);
  ::setrlimit(RLIMIT_AS, &limit);
  if (answer && answer->has_failed)
    throw Error(ErrorKind::kResource, "", "out of memory: libtorch can't be loaded",
                memory_limit_hint_of_torch());
}

}  // namespace

fs::path torch_program_path() {
  const fs::path folder = program_folder();
  for (const fs::path& path : {folder / kName, folder.parent_path() / "libexec" / kName})
    if (std::error_code error; fs::exists(path, error)) return path;
  throw Error(ErrorKind::kResource, (folder / kName).string(),
              "there is no such program, and this verb needs it",
              "it is built and installed with air: keep the two together, or link to air");
}

void become_torch_program(char** argv) {
  const fs::path program = torch_program_path();
  require_libraries(program);
  require_room(program);
  set_environment();
  ::execv(program.c_str(), argv);
  throw Error(ErrorKind::kResource, program.string(),
              std::string("can't be started: ") + std::strerror(errno));
}

}  // namespace air
