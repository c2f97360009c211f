#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace air {

namespace {

constexpr size_t kBufferSize = 1 << 16;

[[noreturn]] void throw_write_error(const std::string& path, int error) {
  if (path == "-" && error == EPIPE) throw ClosedPipe{};
  throw Error(ErrorKind::kResource, path == "-" ? "<stdout>" : path,
              std::string("writing failed: ") + std::strerror(error));
}

/// The file that a path leads to, its symbolic links resolved.
std::string resolved_path(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  const auto resolved = std::filesystem::weakly_canonical(path, error);
  return error ? path : resolved.string();
}

}  // namespace

bool is_special_file(const std::string& path) {
  for (const std::string_view descriptor : {"/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/"})
    if (path.starts_with(descriptor)) return true;
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

std::string partial_path(const std::string& output) {
  return output == "-" || is_special_file(output) ? "" : output + ".partial";
}

OutputFile::OutputFile(const std::string& path, EmptyOutput empty) : path_(path), empty_(empty) {
  if (path == "-") {
    fd_ = STDOUT_FILENO;
    return;
  }
  const bool in_place = is_special_file(path);
  if (!in_place) {
    path_ = resolved_path(path);
    temporary_ = path_ + ".tmp." + std::to_string(::getpid());
  }
  const std::string& name = in_place ? path_ : temporary_;
  // What /dev/stdout names may hold earlier output (>> FILE): it is continued.
  const int how = in_place ? O_APPEND : O_CREAT | O_TRUNC;
  fd_ = ::open(name.c_str(), O_WRONLY | O_CLOEXEC | how, 0666);
  if (fd_ < 0)
    throw Error(ErrorKind::kResource, path,
                std::string("can't be written: ") + std::strerror(errno));
  owns_fd_ = true;
}

OutputFile::~OutputFile() {
  if (!owns_fd_) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(std::string_view bytes) {
  buffer_.append(bytes);
  is_empty_ = is_empty_ && bytes.empty();
  if (buffer_.size() >= kBufferSize) flush();
}

void OutputFile::flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_write_error(path_, errno);
    }
    done += static_cast<size_t>(count);
  }
  buffer_.clear();
}

void OutputFile::keep_older() const {
  struct stat older {};
  if (!temporary_.empty() && ::stat(path_.c_str(), &older) == 0 && older.st_size > 0)
    throw Error(ErrorKind::kInput, path_, "nothing was written: the older file stays as it is",
                "delete it if it is no longer wanted");
}

void OutputFile::commit() {
  flush();
  if (!owns_fd_) return;
  if (is_empty_ && empty_ == EmptyOutput::kKeepsOlder) keep_older();
  // A file that was renamed before its bytes reached the disk would be empty after a power loss.
  if (!temporary_.empty() && ::fsync(fd_) != 0) throw_write_error(path_, errno);
  owns_fd_ = false;
  if (::close(fd_) != 0) {
    const int error = errno;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    throw_write_error(path_, error);
  }
  if (!temporary_.empty() && ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw_write_error(path_, error);
  }
}

void write_file(const std::string& path, std::string_view bytes) {
  OutputFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace air
