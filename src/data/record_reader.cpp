#include "data/record_reader.h"

#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace air {

namespace {

bool read_number(std::string_view text, int64_t& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

Shard Shard::parse(const std::string& text) {
  Shard shard;
  const size_t slash = text.find('/');
  const std::string_view view = text;
  if (slash == std::string::npos || !read_number(view.substr(0, slash), shard.index) ||
      !read_number(view.substr(slash + 1), shard.count) || shard.index < 0 ||
      shard.index >= shard.count)
    throw Error(ErrorKind::kUsage, "", "\"" + text + "\" is not a shard",
                "I/N with 0 ≤ I < N: 0/4, 1/4, 2/4, 3/4");
  return shard;
}

RecordReader::RecordReader(std::vector<std::string> inputs, Shard shard, RecordChoice choice,
                           std::stop_token stop)
    : inputs_(std::move(inputs)),
      shard_(shard),
      choice_(std::move(choice)),
      sizes_(shard.count),
      stop_(std::move(stop)) {}

bool RecordReader::is_chosen() {
  if (choice_.lines) {
    const auto next = static_cast<size_t>(num_chosen_);
    if (next == choice_.lines->size() || (*choice_.lines)[next] != line_) return false;
  }
  ++num_chosen_;
  return true;
}

bool RecordReader::is_mine() {
  if (shard_.count == 1) return true;
  return (shard_.by == ShardBy::kSize ? sizes_.add(text_.size()) : (line_ - 1) % shard_.count) ==
         shard_.index;
}

bool RecordReader::next() {
  for (;;) {
    const auto most = choice_.lines ? static_cast<int64_t>(choice_.lines->size()) : choice_.limit;
    if (num_chosen_ == most) return false;  // the rest is not read
    if (!reader_) {
      if (next_input_ == inputs_.size()) return false;
      reader_ = std::make_unique<LineReader>(inputs_[next_input_++], stop_);
    }
    if (!reader_->next(text_)) {
      reader_.reset();
      continue;
    }
    ++line_;
    const bool is_record = !is_blank(text_);
    if (is_record && !is_chosen()) continue;
    if (is_mine() && is_record) return true;
  }
}

}  // namespace air
