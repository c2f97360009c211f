#include "base/program_folder.h"

#include <sys/auxv.h>

#include <system_error>

namespace air {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error)  // no /proc: by the name that it was started under
    program = fs::canonical(reinterpret_cast<const char*>(::getauxval(AT_EXECFN)), error);
  return program.parent_path();
}

}  // namespace air
