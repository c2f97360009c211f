#include "base/json_array_source.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace air {

namespace {

constexpr size_t kChunk = 1 << 16;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

JsonArraySource::JsonArraySource(std::unique_ptr<ByteSource> inner, std::string name)
    : inner_(std::move(inner)), name_(std::move(name)) {}

void JsonArraySource::take(char c, std::string& out) {
  const auto fail = [&](const char* what) {
    throw Error(ErrorKind::kInput, name_, std::string("not a JSON array: ") + what,
                "air reads JSON Lines, one object a line, or one array of objects");
  };
  if (in_string_) {
    if (is_escaped_)
      is_escaped_ = false;
    else if (c == '\\')
      is_escaped_ = true;
    else if (c == '"')
      in_string_ = false;
    out += c;
    return;
  }
  if (state_ == State::kAfter) {
    if (!is_space(c)) fail("text after its end");
    return;
  }
  if (state_ == State::kBefore) {
    if (c == '[') state_ = State::kElement;
    return;
  }
  const bool ends = depth_ == 0 && (c == ',' || c == ']');
  if (ends) {
    if (!is_filled_ && (c == ',' || expects_element_)) fail("an element is missing");
    if (is_filled_) out += '\n';
    spaces_.clear();
    is_filled_ = false;
    expects_element_ = c == ',';
    if (c == ']') state_ = State::kAfter;
    return;
  }
  if (is_space(c)) {
    if (is_filled_) spaces_ += c == '\n' || c == '\r' ? ' ' : c;
    return;
  }
  out += std::exchange(spaces_, {});
  is_filled_ = true;
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  out += c;
}

size_t JsonArraySource::read(char* out, size_t size) {
  std::vector<char> chunk;
  while (given_ == ready_.size()) {
    ready_.clear();
    given_ = 0;
    chunk.resize(kChunk);
    const size_t count = inner_->read(chunk.data(), chunk.size());
    if (count == 0) {
      if (state_ != State::kAfter)
        throw Error(ErrorKind::kInput, name_, "the JSON array does not end: the file is cut off");
      return 0;
    }
    for (const char c : std::string_view(chunk.data(), count)) take(c, ready_);
  }
  const size_t count = std::min(size, ready_.size() - given_);
  std::memcpy(out, ready_.data() + given_, count);
  given_ += count;
  return count;
}

}  // namespace air
