#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/temporary_name.h"

namespace air {

namespace {

constexpr size_t kBufferSize = 1 << 16;

[[noreturn]] void throw_open_error(const std::string& path) {
  throw Error(ErrorKind::kResource, path, std::string("can't be written: ") + std::strerror(errno));
}

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
  in_place_ = is_special_file(path);
  if (in_place_) {
    // What /dev/stdout names may hold earlier output (>> FILE): it is continued.
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_APPEND);
    if (fd_ < 0) throw_open_error(path);
  } else {
    path_ = resolved_path(path);
    open_beside();
  }
  owns_fd_ = true;
}

void OutputFile::open_beside() {
  // An unnamed file gets its name by way of /proc.
  if (::access("/proc/self/fd", X_OK) == 0)
    fd_ = ::open(parent_folder(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  while (fd_ < 0) {
    temporary_ = temporary_name(path_);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST && errno != EINTR) throw_open_error(path_);
  }
}

void OutputFile::keep_mode() const {
  constexpr mode_t kPermissions = 0777;
  struct stat older {};
  if (::stat(path_.c_str(), &older) == 0 && ::fchmod(fd_, older.st_mode & kPermissions) != 0)
    throw_write_error(path_, errno);
}

void OutputFile::name_it() {
  if (!temporary_.empty()) return;
  const std::string unnamed = "/proc/self/fd/" + std::to_string(fd_);
  // Where nothing has that name yet, it gets it at once: a kill never leaves a file of another
  // name.
  std::string name = path_;
  while (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno != EEXIST && errno != EINTR) throw_write_error(path_, errno);
    if (errno == EEXIST) name = temporary_name(path_);
  }
  temporary_ = std::move(name);
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
  if (!in_place_ && ::stat(path_.c_str(), &older) == 0 && older.st_size > 0)
    throw Error(ErrorKind::kInput, path_, "nothing was written: the older file stays as it is",
                "delete it if it is no longer wanted");
}

void OutputFile::commit() {
  flush();
  if (!owns_fd_) return;
  if (is_empty_ && empty_ == EmptyOutput::kKeepsOlder) keep_older();
  if (!in_place_) {
    keep_mode();
    // A file that was renamed before its bytes reached the disk would be empty after a power loss.
    while (::fsync(fd_) != 0)
      if (errno != EINTR) throw_write_error(path_, errno);
    name_it();
  }
  owns_fd_ = false;
  if (::close(fd_) != 0 && errno != EINTR) {  // after EINTR it is closed
    const int error = errno;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    throw_write_error(path_, error);
  }
  if (in_place_) return;
  if (temporary_ != path_ && ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw_write_error(path_, error);
  }
  sync_folder(parent_folder(path_));
}

void write_file(const std::string& path, std::string_view bytes) {
  OutputFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace air
