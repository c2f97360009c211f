#include "model/calling_library.h"

#include <dlfcn.h>

#include <algorithm>

namespace air {

bool lies_in_library(const void* address, std::initializer_list<std::string_view> names) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr) return false;
  const std::string_view path = info.dli_fname;
  const std::string_view file = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(names,
                             [file](std::string_view name) { return file.starts_with(name); });
}

}  // namespace air
