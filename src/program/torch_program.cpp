#include "program/torch_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// What the dynamic loader says of a program: the libraries that it needs, a line each, and where
/// they are; its complaint when one can't be had. None when it can't be asked.
struct LoaderAnswer {
  std::string text;
  bool has_failed = false;
};

/// Asks the loader without running the program: 2 ms.
std::optional<LoaderAnswer> ask_loader(const fs::path& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    environment.push_back(*variable);
  std::string trace = "LD_TRACE_LOADED_OBJECTS=1";
  environment.push_back(trace.data());
  environment.push_back(nullptr);
  std::string name = program.string();
  char* arguments[] = {name.data(), nullptr};
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, name.c_str(), &actions, nullptr, arguments, environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  LoaderAnswer answer;
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
/// loader is asked first.
void require_libraries(const fs::path& program) {
  const std::optional<LoaderAnswer> answer = ask_loader(program);
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
                "can't be started: " + answer->text.substr(0, answer->text.find('\n')));
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
  set_environment();
  ::execv(program.c_str(), argv);
  throw Error(ErrorKind::kResource, program.string(),
              std::string("can't be started: ") + std::strerror(errno));
}

}  // namespace air
