#include "base/system_error.h"

#include <sys/resource.h>

#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

namespace air {

Error explain_system(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) return *ours;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr)
    return {ErrorKind::kResource, "", "out of memory", memory_limit_hint()};
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return {ErrorKind::kResource, file->path1().string(), file->code().message()};
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) {
    if (system->code() == std::errc::resource_unavailable_try_again) {
      // A thread whose stack finds no room fails by the same number.
      const std::string memory = memory_limit_hint();
      return {ErrorKind::kResource, "", "no thread can be started: " + system->code().message(),
              "the limit of processes and threads (ulimit -u) is reached" +
                  (memory.empty() ? "" : ", or there is no room for one: " + memory)};
    }
    return {ErrorKind::kResource, "", error.what()};
  }
  const std::string_view message =
      error.what();  // libtorch's have a C++ stack after the first line
  return {ErrorKind::kBug, "", "unexpected: " + std::string(message.substr(0, message.find('\n'))),
          "please report this with the command that you ran"};
}

std::string memory_limit_hint() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  return "the limit of this process (ulimit -v) is " + std::to_string(limit.rlim_cur >> 20) +
         " MiB";
}

std::string memory_limit_hint_of_torch() {
  const std::string limit = memory_limit_hint();
  return limit.empty() ? "" : limit + ", and libtorch alone takes about 500";
}

}  // namespace air
