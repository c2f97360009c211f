#include "text/pre_tokenizer.h"

#include "text/json_part.h"
#include "text/pattern.h"
#include "text/utf8.h"

namespace air {

namespace {

using json_part::Value;

/// What becomes of the text that a pattern matches.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// A stretch of a word that matches the pattern, or one that does not.
struct Stretch {
  Match span;
  bool is_match;
};

/// Joins stretches by the behaviour and appends the words that come out.
void join_stretches(const std::vector<Stretch>& stretches, Behavior behavior,
                    std::vector<Match>& out) {
  bool previous_match = false;
  switch (behavior) {
    case Behavior::kRemoved:
      for (const Stretch& s : stretches)
        if (!s.is_match) out.push_back(s.span);
      return;
    case Behavior::kIsolated:
      for (const Stretch& s : stretches) out.push_back(s.span);
      return;
    case Behavior::kMergedWithPrevious:
    case Behavior::kContiguous: {
      const size_t first = out.size();
      for (const Stretch& s : stretches) {
        const bool joins = behavior == Behavior::kContiguous ? s.is_match == previous_match
                                                             : s.is_match && !previous_match;
        if (joins && out.size() > first)
          out.back().end = s.span.end;
        else
          out.push_back(s.span);
        previous_match = s.is_match;
      }
      return;
    }
    case Behavior::kMergedWithNext: {
      std::vector<Match> reversed;
      for (auto s = stretches.rbegin(); s != stretches.rend(); ++s) {
        if (s->is_match && !previous_match && !reversed.empty())
          reversed.back().begin = s->span.begin;
        else
          reversed.push_back(s->span);
        previous_match = s->is_match;
      }
      out.insert(out.end(), reversed.rbegin(), reversed.rend());
      return;
    }
  }
}

class Split : public PreTokenizer {
 public:
  Split(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(NormalizedText& text, std::vector<Match>& words) const override {
    std::vector<Match> out;
    out.reserve(words.size() + text.text().size() / 4);
    std::vector<Stretch> stretches;
    for (const Match word : words) {
      if (word.empty()) continue;
      stretches.clear();
      size_t end = word.begin;
      // The pattern sees the word alone: what stands around it can't be looked at.
      pattern_.for_each_match(text.text().substr(word.begin, word.end - word.begin),
                              [&](Match match) {
                                const Match found{word.begin + match.begin, word.begin + match.end};
                                if (found.begin > end)
                                  stretches.push_back({{end, found.begin}, invert_});
                                stretches.push_back({found, !invert_});
                                end = found.end;
                              });
      if (end < word.end) stretches.push_back({{end, word.end}, invert_});
      join_stretches(stretches, behavior_, out);
    }
    words = std::move(out);
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

/// Puts `prefix` before every word for which `needs` is true.
template <typename Needs>
void prefix_words(NormalizedText& text, std::vector<Match>& words, std::string_view prefix,
                  Needs needs) {
  std::vector<size_t> places;
  size_t shift = 0;
  for (Match& word : words) {
    const bool add = !word.empty() && needs(word);
    if (add) places.push_back(word.begin);
    word.begin += shift;
    if (add) shift += prefix.size();
    word.end += shift;
  }
  text.insert_before(places, prefix);
}

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
    if (use_regex)
      split_.emplace(Pattern(Regex(kWordPattern, "pre_tokenizer ByteLevel")), Behavior::kIsolated,
                     false);
  }
  void apply(NormalizedText& text, std::vector<Match>& words) const override {
    if (add_prefix_space_)
      prefix_words(text, words, " ", [&](Match word) { return text.text()[word.begin] != ' '; });
    if (split_) split_->apply(text, words);
  }
  bool is_byte_level() const override { return true; }

 private:
  // GPT-2's words.
  static constexpr std::string_view kWordPattern =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  bool add_prefix_space_;
  std::optional<Split> split_;
};

class Metaspace : public PreTokenizer {
 public:
  enum class Prepend { kAlways, kFirst, kNever };
  Metaspace(std::string replacement, Prepend prepend, bool split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(split) {}

  void apply(NormalizedText& text, std::vector<Match>& words) const override {
    replace_spaces(text, words);
    prefix_words(text, words, replacement_, [&](Match word) {
      if (prepend_ == Prepend::kNever || starts_with_replacement(text, word)) return false;
      return prepend_ == Prepend::kAlways || text.origin(word.begin) == 0;
    });
    if (split_) split_words(text, words);
  }

 private:
  bool starts_with_replacement(const NormalizedText& text, Match word) const {
    return text.text().substr(word.begin, word.end - word.begin).starts_with(replacement_);
  }

  void replace_spaces(NormalizedText& text, std::vector<Match>& words) const {
    std::vector<std::pair<size_t, size_t>> spaces;
    size_t shift = 0;
    for (Match& word : words) {
      const Match old = word;
      word.begin += shift;
      for (size_t i = old.begin; i < old.end; ++i) {
        if (text.text()[i] != ' ') continue;
        spaces.emplace_back(i, i + 1);
        shift += replacement_.size() - 1;
      }
      word.end += shift;
    }
    text.replace_all(spaces, replacement_);
  }

  /// A word begins with each replacement character.
  void split_words(const NormalizedText& text, std::vector<Match>& words) const {
    std::vector<Match> out;
    for (const Match word : words) {
      size_t begin = word.begin;
      for (size_t at = begin; (at = text.text().find(replacement_, at)) < word.end;
           at += replacement_.size()) {
        if (at > begin) out.push_back({begin, at});
        begin = at;
      }
      out.push_back({begin, word.end});
    }
    words = std::move(out);
  }

  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

class PreTokenizerSequence : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> parts)
      : parts_(std::move(parts)) {}
  void apply(NormalizedText& text, std::vector<Match>& words) const override {
    for (const auto& part : parts_) part->apply(text, words);
  }
  bool is_byte_level() const override { return !parts_.empty() && parts_.back()->is_byte_level(); }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

Behavior parse_behavior(std::string_view name, const std::string& where) {
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  json_part::fail(where, "the behavior \"" + std::string(name) + "\" is not known to air");
}

std::unique_ptr<PreTokenizer> make_split(std::string_view regex, Behavior behavior, bool invert,
                                         const std::string& where) {
  return std::make_unique<Split>(Pattern(Regex(regex, where)), behavior, invert);
}

std::unique_ptr<PreTokenizer> make_metaspace(const Value& json, const std::string& where) {
  using namespace json_part;
  check_keys(json,
             {"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"},
             where);
  const std::string_view scheme =
      find(json, "prepend_scheme") ? get_string(json, "prepend_scheme", where) : "always";
  auto prepend = Metaspace::Prepend::kAlways;
  if (scheme == "first")
    prepend = Metaspace::Prepend::kFirst;
  else if (scheme == "never" || !get_bool(json, "add_prefix_space", true, where))
    prepend = Metaspace::Prepend::kNever;
  else if (scheme != "always")
    fail(where, "the prepend_scheme \"" + std::string(scheme) + "\" is not known to air");
  const std::string replacement(get_string(json, "replacement", where));
  if (replacement.empty() || utf8_length(replacement.front()) != replacement.size())
    fail(where, "the replacement \"" + replacement + "\" is not one character");
  return std::make_unique<Metaspace>(replacement, prepend, get_bool(json, "split", true, where));
}

std::unique_ptr<PreTokenizer> make_sequence(const Value& json, const std::string& where) {
  using namespace json_part;
  check_keys(json, {"type", "pretokenizers"}, where + " Sequence");
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  for (const Value& part : get_array(json, "pretokenizers", where + " Sequence").GetArray()) {
    if (!parts.empty() && parts.back()->is_byte_level())
      fail(where, "a part after ByteLevel is not known to air");
    if (auto pre_tokenizer = make_pre_tokenizer(part, where))
      parts.push_back(std::move(pre_tokenizer));
  }
  return std::make_unique<PreTokenizerSequence>(std::move(parts));
}

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Value& json, const std::string& where) {
  using namespace json_part;
  if (json.IsNull()) return nullptr;
  const std::string_view type = type_of(json, where);
  const std::string here = where + " " + std::string(type);
  if (type == "Sequence") return make_sequence(json, where);
  if (type == "Split") {
    check_keys(json, {"type", "pattern", "behavior", "invert"}, here);
    return std::make_unique<Split>(Pattern(get(json, "pattern", here), here + " pattern"),
                                   parse_behavior(get_string(json, "behavior", here), here),
                                   get_bool(json, "invert", false, here));
  }
  if (type == "Digits") {
    check_keys(json, {"type", "individual_digits"}, here);
    const bool individual = get_bool(json, "individual_digits", false, here);
    return make_split("\\p{N}", individual ? Behavior::kIsolated : Behavior::kContiguous, false,
                      here);
  }
  if (type == "ByteLevel") {
    check_keys(json, {"type", "add_prefix_space", "trim_offsets", "use_regex"}, here);
    return std::make_unique<ByteLevel>(get_bool(json, "add_prefix_space", true, here),
                                       get_bool(json, "use_regex", true, here));
  }
  if (type == "Metaspace") return make_metaspace(json, here);
  if (type == "Punctuation") {
    check_keys(json, {"type", "behavior"}, here);
    const std::string_view behavior =
        find(json, "behavior") ? get_string(json, "behavior", here) : "Isolated";
    return make_split("[\\p{P}!-\\/:-@\\[-`{-~]", parse_behavior(behavior, here), false, here);
  }
  check_keys(json, {"type"}, here);
  if (type == "Whitespace")
    return make_split("[\\w\\x{200c}\\x{200d}]+|[^\\w\\x{200c}\\x{200d}\\s]+", Behavior::kRemoved,
                      true, here);
  if (type == "WhitespaceSplit") return make_split("\\s", Behavior::kRemoved, false, here);
  fail(where, "the pre-tokenizer \"" + std::string(type) + "\" is not known to air");
}

}  // namespace air
