#include "find_heads/haystack.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "text/utf8.h"

namespace air {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

std::string the(std::string_view noun) { return "the " + std::string(noun); }

std::string capitalised(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

const WordLists& word_lists() {
  static const WordLists lists = {
      .adjectives = {"old",    "young", "quiet", "tall",   "small",  "brown",  "green",
                     "heavy",  "warm",  "cold",  "bright", "narrow", "wooden", "dusty",
                     "gentle", "busy",  "clean", "round",  "simple", "steady"},
      .people = {"farmer",   "teacher",  "baker",    "sailor",   "doctor",    "painter", "driver",
                 "singer",   "neighbor", "traveler", "gardener", "carpenter", "student", "child",
                 "merchant", "guard",    "clerk",    "hunter",   "weaver",    "miller"},
      .verbs = {"carried",  "repaired", "painted", "watched",  "counted",  "moved",  "cleaned",
                "followed", "opened",   "closed",  "bought",   "sold",     "found",  "lifted",
                "dropped",  "folded",   "washed",  "borrowed", "returned", "covered"},
      .objects = {"basket", "ladder", "blanket", "table",  "wagon", "letter", "lantern",
                  "chair",  "bottle", "barrel",  "window", "fence", "boat",   "book",
                  "coat",   "mirror", "rope",    "shelf",  "drum",  "door"},
      .prepositions = {"near", "behind", "beside", "beyond", "close to", "next to", "not far from",
                       "in front of"},
      .places = {"river",   "market", "garden", "kitchen", "bridge",  "harbor", "school",
                 "station", "forest", "hill",   "village", "library", "barn",   "road",
                 "valley",  "yard",   "church", "field",   "cellar",  "tower"},
      .times = {"In the morning", "After lunch", "Late in the evening", "On Monday", "Last winter",
                "During the storm", "Before sunrise", "At noon", "One day", "In the spring",
                "On the way home", "After the rain"},
      .names = {"Peter", "Anna", "Thomas", "Maria", "David", "Laura", "Robert", "Emma", "George",
                "Helen", "Martin", "Alice", "Simon", "Clara", "Victor", "Julia"},
      .things = {"apple",  "river",  "candle", "orange", "winter",  "silver", "garden", "pencil",
                 "monkey", "castle", "bridge", "yellow", "thunder", "pocket", "island", "rabbit",
                 "hammer", "violin", "summer", "ladder", "butter",  "planet", "tiger",  "basket",
                 "copper", "lemon",  "mirror", "forest", "carpet",  "button", "engine", "marble",
                 "kitten", "desert", "saddle", "walnut", "spider",  "turtle", "falcon", "velvet"},
  };
  return lists;
}

std::string_view pick(const std::vector<std::string_view>& words, Rng& rng) {
  return words[rng.below(words.size())];
}

std::vector<std::string_view> pick_different(std::vector<std::string_view> words, size_t count,
                                             Rng& rng) {
  rng.shuffle(words);
  words.resize(std::min(count, words.size()));
  return words;
}

std::string random_sentence(Rng& rng) {
  const WordLists& words = word_lists();
  const auto word = [&](const std::vector<std::string_view>& list) {
    return std::string(pick(list, rng));
  };
  switch (rng.below(4)) {
    case 0:
    case 1: {
      const bool with_time = rng.below(2) == 1;
      std::string text = with_time ? word(words.times) + ", " : "";
      text += the(word(words.adjectives)) + " " + word(words.people);
      text += " " + word(words.verbs) + " " + the(word(words.objects));
      text += " " + word(words.prepositions) + " " + the(word(words.places)) + ".";
      return capitalised(text);
    }
    case 2: {
      std::string text = "A " + word(words.people) + " and a " + word(words.people);
      return text + " " + word(words.verbs) + " " + the(word(words.adjectives)) + " " +
             word(words.objects) + ".";
    }
    default: {
      std::string text =
          capitalised(the(word(words.places))) + " was " + word(words.adjectives) + ", and ";
      text += the(word(words.people)) + " " + word(words.verbs);
      return text + " a " + word(words.adjectives) + " " + word(words.objects) + ".";
    }
  }
}

Haystack Haystack::from_file(const std::filesystem::path& path) {
  std::string text = read_file(path, ErrorKind::kInput);
  if (const auto bad = first_invalid_utf8(text)) {
    throw Error(ErrorKind::kInput, path.string(), "not UTF-8 at byte " + std::to_string(*bad));
  }
  while (!text.empty() && is_space(text.back())) text.pop_back();
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.find(' ') == std::string::npos)
    throw Error(ErrorKind::kInput, path.string(), "holds no text to hide a needle in");
  return Haystack(text);
}

std::string Haystack::stretch(size_t num_bytes, Rng& rng) const {
  std::string stretch;
  if (text_.empty()) {
    while (stretch.size() < num_bytes)
      stretch += (stretch.empty() ? "" : " ") + random_sentence(rng);
    return stretch;
  }
  std::vector<size_t> starts = sentence_starts(text_);
  starts.pop_back();
  stretch = text_.substr(starts[rng.below(starts.size())]);
  while (stretch.size() < num_bytes) stretch += "\n" + text_;
  return std::string(cut_at_word(stretch, num_bytes));
}

std::vector<size_t> sentence_starts(std::string_view text) {
  std::vector<size_t> starts = {0};
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    const bool ends_sentence =
        text[i - 1] == '.' || text[i - 1] == '!' || text[i - 1] == '?' || text[i] == '\n';
    if (ends_sentence && is_space(text[i]) && !is_space(text[i + 1])) starts.push_back(i + 1);
  }
  if (text.size() > 0) starts.push_back(text.size());
  return starts;
}

std::string_view cut_at_word(std::string_view text, size_t end) {
  if (end >= text.size()) return text;
  while (end > 0 && !is_space(text[end])) --end;
  while (end > 0 && is_space(text[end - 1])) --end;
  return text.substr(0, end);
}

}  // namespace air
