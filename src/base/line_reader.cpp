#include "air/base/line_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "air/base/error.h"

namespace air {

namespace {
constexpr size_t kChunk = 1 << 18;
}

struct LineReader::Source {
  int fd = -1;
  bool owned = false;
  ~Source() {
    if (owned) ::close(fd);
  }
};

LineReader::LineReader(const std::string& path)
    : source_(std::make_unique<Source>()), name_(path == "-" ? "<stdin>" : path) {
  if (path == "-") {
    source_->fd = STDIN_FILENO;
    return;
  }
  source_->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (source_->fd < 0) throw Error(ErrorKind::kInput, path, std::strerror(errno));
  source_->owned = true;
  struct stat info {};
  if (::fstat(source_->fd, &info) == 0 && S_ISDIR(info.st_mode))
    throw Error(ErrorKind::kInput, path, "is a folder, not a file of JSON lines");
}

LineReader::~LineReader() = default;

bool LineReader::next(std::string_view& line) {
  size_t searched = begin_;
  for (;;) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = end + 1;
      ++line_number_;
      return true;
    }
    if (at_end_) {
      if (begin_ == buffer_.size()) return false;
      line = std::string_view(buffer_).substr(begin_);
      begin_ = buffer_.size();
      ++line_number_;
      return true;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + kChunk);
    ssize_t count;
    do {
      count = ::read(source_->fd, buffer_.data() + searched, kChunk);
    } while (count < 0 && errno == EINTR);
    if (count < 0) throw Error(ErrorKind::kInput, name_, std::string("reading failed: ") + std::strerror(errno));
    buffer_.resize(searched + static_cast<size_t>(count));
    at_end_ = count == 0;
  }
}

std::string LineReader::where() const { return name_ + ":" + std::to_string(line_number_); }

}  // namespace air
