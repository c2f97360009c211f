#include "base/unnamed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/error.h"

namespace air {

int open_unnamed_file() {
  const char* folder = std::getenv("TMPDIR");
  std::string name =
      std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/air-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0)
    throw Error(ErrorKind::kResource, name,
                std::string("no temporary file: ") + std::strerror(errno),
                "TMPDIR names another folder");
  ::unlink(name.c_str());
  return fd;
}

}  // namespace air
