#include "text/normalized_text.h"

#include "base/error.h"
#include "text/utf8.h"

namespace air {

int64_t NormalizedText::origin(size_t i) const {
  if (!origins_.empty()) return origins_[i];
  while (is_continuation_byte(text_[i])) --i;
  return begin_ + static_cast<int64_t>(i);
}

void NormalizedText::ensure_origins() {
  if (!origins_.empty()) return;
  origins_.resize(text_.size());
  for (size_t i = 0; i < text_.size(); ++i)
    origins_[i] =
        is_continuation_byte(text_[i]) ? origins_[i - 1] : begin_ + static_cast<int64_t>(i);
}

void NormalizedText::transform(const std::vector<CharChange>& characters) {
  ensure_origins();
  std::string text;
  std::vector<int64_t> origins;
  text.reserve(text_.size());
  origins.reserve(text_.size());
  size_t old = 0;
  const auto skip_one = [&] {
    if (old < text_.size()) old += utf8_length(text_[old]);
  };
  for (const auto& [code_point, change] : characters) {
    const int64_t origin = change <= 0 && old < text_.size() ? origins_[old]
                           : old > 0                         ? origins_[old - 1]
                                                             : begin_;
    if (change <= 0)
      for (int i = 0; i <= -change; ++i) skip_one();
    append_utf8(text, code_point);
    origins.resize(text.size(), origin);
  }
  text_ = std::move(text);
  origins_ = std::move(origins);
}

/// Writes a new text out of spans of the old one and new bytes.
class NormalizedText::Rebuild {
 public:
  Rebuild(NormalizedText& old, size_t added_size) : old_(old) {
    const size_t expected_size = old_.text_.size() + added_size;
    if (expected_size > old_.max_size_)
      throw Error(ErrorKind::kModel, "",
                  "the tokenizer's rules make a text of more than " +
                      std::to_string(old_.max_size_) + " bytes of a short one",
                  "tokenizer.json is damaged, or made to do harm");
    old_.ensure_origins();
    text_.reserve(expected_size);
    origins_.reserve(expected_size);
  }
  /// Copies the old text up to `end`.
  void copy_to(size_t end) {
    text_.append(old_.text_, copied_, end - copied_);
    origins_.insert(origins_.end(), old_.origins_.begin() + static_cast<std::ptrdiff_t>(copied_),
                    old_.origins_.begin() + static_cast<std::ptrdiff_t>(end));
    copied_ = end;
  }
  void skip_to(size_t end) { copied_ = end; }
  /// Adds bytes that stand where old byte `place` stood.
  void add(std::string_view bytes, size_t place) {
    text_ += bytes;
    origins_.resize(text_.size(), old_.origins_[place]);
  }
  void finish() {
    copy_to(old_.text_.size());
    old_.text_ = std::move(text_);
    old_.origins_ = std::move(origins_);
  }

 private:
  NormalizedText& old_;
  std::string text_;
  std::vector<int64_t> origins_;
  size_t copied_ = 0;
};

void NormalizedText::insert_before(const std::vector<size_t>& places, std::string_view prefix) {
  if (places.empty()) return;
  Rebuild rebuild(*this, places.size() * prefix.size());
  for (const size_t place : places) {
    rebuild.copy_to(place);
    rebuild.add(prefix, place);
  }
  rebuild.finish();
}

void NormalizedText::replace_all(const std::vector<std::pair<size_t, size_t>>& spans,
                                 std::string_view content) {
  if (spans.empty()) return;
  Rebuild rebuild(*this, spans.size() * content.size());
  for (const auto& [begin, end] : spans) {
    rebuild.copy_to(begin);
    rebuild.add(content, end - 1);
    rebuild.skip_to(end);
  }
  rebuild.finish();
}

NormalizedText NormalizedText::part(size_t begin, size_t end) const {
  NormalizedText out(text().substr(begin, end - begin), begin_);
  out.max_size_ = max_size_;
  if (origins_.empty())
    out.begin_ += static_cast<int64_t>(begin);
  else
    out.origins_.assign(origins_.begin() + static_cast<std::ptrdiff_t>(begin),
                        origins_.begin() + static_cast<std::ptrdiff_t>(end));
  return out;
}

}  // namespace air
