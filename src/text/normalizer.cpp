#include "text/normalizer.h"

#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <vector>

#include "text/json_part.h"
#include "text/pattern.h"
#include "text/unicode_normalization.h"
#include "text/utf8.h"

namespace air {

namespace {

using json_part::Value;

class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> parts)
      : parts_(std::move(parts)) {}
  void apply(NormalizedText& text) const override {
    for (const auto& part : parts_) part->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(NormalizedText& text) const override {
    if (!text.text().empty()) text.insert_before({0}, prefix_);
  }

 private:
  std::string prefix_;
};

class Replace : public Normalizer {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(NormalizedText& text) const override {
    std::vector<std::pair<size_t, size_t>> spans;
    pattern_.for_each_match(text.text(), [&](Match match) {
      if (!match.empty()) spans.emplace_back(match.begin, match.end);
    });
    text.replace_all(spans, content_);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class Unicode : public Normalizer {
 public:
  explicit Unicode(UnicodeForm form) : form_(form) {}
  void apply(NormalizedText& text) const override { normalize_unicode(text, form_); }

 private:
  UnicodeForm form_;
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(NormalizedText& text) const override {
    const std::string_view all = text.text();
    size_t begin = 0, end = all.size();
    for (size_t i = 0; left_ && i < end && is_white_space(next_code_point(all, i));) begin = i;
    for (size_t i = end; right_ && i > begin && is_white_space(previous_code_point(all, i));)
      end = i;
    text = text.part(begin, end);
  }

 private:
  bool left_, right_;
};

class Lowercase : public Normalizer {
 public:
  void apply(NormalizedText& text) const override {
    const std::string_view all = text.text();
    std::vector<CharChange> out;
    for (size_t i = 0; i < all.size();) {
      const char32_t c = next_code_point(all, i);
      // The one character whose lower case, by itself, is two: I with a dot above.
      out.push_back(
          {c == 0x130 ? U'i' : static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))), 0});
      if (c == 0x130) out.push_back({0x307, 1});
    }
    text.transform(out);
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const Value& json, const std::string& where) {
  using namespace json_part;
  if (json.IsNull()) return nullptr;
  const std::string_view type = type_of(json, where);
  const std::string here = where + " " + std::string(type);
  if (type == "Sequence") {
    check_keys(json, {"type", "normalizers"}, here);
    std::vector<std::unique_ptr<Normalizer>> parts;
    for (const Value& part : get_array(json, "normalizers", here).GetArray())
      if (auto normalizer = make_normalizer(part, where)) parts.push_back(std::move(normalizer));
    return std::make_unique<NormalizerSequence>(std::move(parts));
  }
  if (type == "Prepend") {
    check_keys(json, {"type", "prepend"}, here);
    return std::make_unique<Prepend>(std::string(get_string(json, "prepend", here)));
  }
  if (type == "Replace") {
    check_keys(json, {"type", "pattern", "content"}, here);
    return std::make_unique<Replace>(Pattern(get(json, "pattern", here), here + " pattern"),
                                     std::string(get_string(json, "content", here)));
  }
  if (type == "Strip") {
    check_keys(json, {"type", "strip_left", "strip_right"}, here);
    return std::make_unique<Strip>(get_bool(json, "strip_left", true, here),
                                   get_bool(json, "strip_right", true, here));
  }
  check_keys(json, {"type"}, here);
  if (type == "NFC") return std::make_unique<Unicode>(UnicodeForm::kNfc);
  if (type == "NFD") return std::make_unique<Unicode>(UnicodeForm::kNfd);
  if (type == "NFKC") return std::make_unique<Unicode>(UnicodeForm::kNfkc);
  if (type == "NFKD") return std::make_unique<Unicode>(UnicodeForm::kNfkd);
  if (type == "Lowercase") return std::make_unique<Lowercase>();
  fail(where, "the normalizer \"" + std::string(type) + "\" is not known to air");
}

}  // namespace air
