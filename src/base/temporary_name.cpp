#include "base/temporary_name.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/strings.h"

namespace air {

std::string temporary_name(const std::string& path) {
  uint64_t number = 0;
  while (::getrandom(&number, sizeof number, 0) != sizeof number)
    if (errno != EINTR)
      throw Error(ErrorKind::kResource, path,
                  std::string("can't be written: ") + std::strerror(errno));
  return path + ".tmp." + hex16(number);
}

std::string parent_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);  // some file systems can't: they write folders at once, or never promise to
  ::close(fd);
}

}  // namespace air
