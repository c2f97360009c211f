#include "base/line_reader.h"

#include <utility>

#include "base/byte_source.h"

namespace air {

namespace {
constexpr size_t kChunk = 1 << 18;
}

LineReader::LineReader(const std::string& path, const std::stop_token& stop)
    : name_(path == "-" ? "<stdin>" : path) {
  OpenedBytes opened = open_bytes(path, name_, stop);
  source_ = std::move(opened.source);
  is_as_stored_ = opened.is_as_stored;
  are_rows_ = opened.are_rows;
  next_line_ = static_cast<int64_t>(opened.skipped);
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
      line_begin_ = std::exchange(next_line_, next_line_ + static_cast<int64_t>(line.size()) + 1);
      return true;
    }
    if (at_end_) {
      if (begin_ == buffer_.size()) return false;
      line = std::string_view(buffer_).substr(begin_);
      begin_ = buffer_.size();
      ++line_number_;
      line_begin_ = next_line_;
      return true;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + kChunk);
    const size_t count = source_->read(buffer_.data() + searched, kChunk);
    buffer_.resize(searched + count);
    at_end_ = count == 0;
  }
}

std::optional<int64_t> LineReader::offset() const {
  return is_as_stored_ ? std::optional(line_begin_) : std::nullopt;
}

std::string LineReader::where() const {
  return name_ + (are_rows_ ? ":row " : ":") + std::to_string(line_number_);
}

}  // namespace air
