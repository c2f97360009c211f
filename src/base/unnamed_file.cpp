#include "base/unnamed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/error.h"

namespace air {

namespace {
constexpr size_t kPiece = 1 << 20;
}

int open_unnamed_file(const std::string& folder) {
  const char* of_system = std::getenv("TMPDIR");
  const std::string place = !folder.empty()                              ? folder
                            : of_system != nullptr && *of_system != '\0' ? of_system
                                                                         : "/tmp";
  const int unnamed = ::open(place.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (unnamed >= 0) return unnamed;
  // Some file systems have no such files (NFS): a kill between the next two calls leaves a name.
  std::string name = place + "/air-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0)
    throw Error(ErrorKind::kResource, name,
                std::string("no temporary file: ") + std::strerror(errno),
                folder.empty() ? "TMPDIR names another folder" : "");
  ::unlink(name.c_str());
  return fd;
}

void Spool::write(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() >= kPiece) flush();
}

void Spool::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t count = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw Error(ErrorKind::kResource, "temporary file",
                  std::string("writing failed: ") + std::strerror(errno),
                  "TMPDIR names another folder");
    done += static_cast<size_t>(count);
  }
  buffer_.clear();
}

}  // namespace air
