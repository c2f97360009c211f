#include "find_heads/needle_probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/error.h"

namespace air {
namespace {

/// A list of words that no language model can guess, as " river candle orange".
std::string word_list(size_t count, Rng& rng) {
  std::string text;
  for (const std::string_view word : pick_different(word_lists().things, count, rng))
    text += " " + std::string(word);
  return text;
}

std::string deed(Rng& rng) {
  const WordLists& words = word_lists();
  const auto word = [&](const std::vector<std::string_view>& list) {
    return std::string(pick(list, rng));
  };
  std::string text =
      " " + word(words.verbs) + " a " + word(words.adjectives) + " " + word(words.objects);
  text += " and a " + word(words.adjectives) + " " + word(words.objects);
  return text + " " + word(words.prepositions) + " the " + word(words.places);
}

std::string walk(Rng& rng) {
  const WordLists& words = word_lists();
  const auto places = pick_different(words.places, 2, rng);
  std::string text = " walk to the " + std::string(places[0]) + ", wait for the " +
                     std::string(pick(words.people, rng));
  text += " and take the " + std::string(pick(words.adjectives, rng)) + " " +
          std::string(pick(words.objects, rng));
  return text + " to the " + std::string(places[1]);
}

using Wording = Needle (*)(const std::string& name, Rng& rng);

// What a small model can answer, by trial: up to 8 plain words, or a natural sentence.
constexpr std::array<Wording, 6> kWordings = {
    [](const std::string& name, Rng& rng) {
      return Needle{"The secret message of " + name + " is:",
                    "What is the secret message of " + name + "?", word_list(8, rng)};
    },
    [](const std::string& name, Rng& rng) {
      return Needle{"The password of " + name + " is:", "What is the password of " + name + "?",
                    word_list(6, rng)};
    },
    [](const std::string& name, Rng& rng) {
      return Needle{"The shopping list of " + name + " says:",
                    "What does the shopping list of " + name + " say?", word_list(8, rng)};
    },
    [](const std::string& name, Rng& rng) {
      return Needle{"At the end of the story, " + name,
                    "What did " + name + " do at the end of the story?", deed(rng)};
    },
    [](const std::string& name, Rng& rng) {
      return Needle{"In the dream of " + name + ", somebody",
                    "What happened in the dream of " + name + "?", deed(rng)};
    },
    [](const std::string& name, Rng& rng) {
      return Needle{"The plan of " + name + " is to", "What is the plan of " + name + "?",
                    walk(rng)};
    },
};

/// The needle between two sentences of the filler, as near to the depth as they allow, then
/// question and answer.
ProbeText place_needle(const Needle& needle, std::string_view filler, double depth,
                       const ProbeFormat& format) {
  const auto target = static_cast<double>(filler.size()) * depth;
  const std::vector<size_t> starts = sentence_starts(filler);
  const size_t place = *std::min_element(starts.begin(), starts.end(), [&](size_t a, size_t b) {
    return std::abs(static_cast<double>(a) - target) < std::abs(static_cast<double>(b) - target);
  });
  const bool has_text_before = place > 0;
  std::string text(filler.substr(0, place));
  // At the very end the filler's own white space is missing.
  if (has_text_before && text.back() != ' ' && text.back() != '\n') text += ' ';
  const size_t needle_in_text = text.size() + needle.lead.size();
  text += needle.lead + needle.answer + ".";
  if (place < filler.size()) text += " " + std::string(filler.substr(place));

  return write_probe({text, needle_in_text, needle.question, needle.lead, needle.answer}, format);
}

/// A stretch of haystack that is surely longer than so many tokens, with the tokens' first bytes.
struct TokenizedText {
  std::string text;
  std::vector<int64_t> begin;
};

TokenizedText long_stretch(const Haystack& haystack, int64_t num_tokens, Rng rng,
                           const Tokenizer& tokenizer) {
  constexpr int64_t kBytesPerToken = 6;
  for (int64_t num_bytes = kBytesPerToken * (num_tokens + 100);; num_bytes *= 2) {
    Rng same = rng;
    TokenizedText tokenized;
    tokenized.text = haystack.stretch(num_bytes, same);
    tokenized.begin = tokenizer.encode(tokenized.text, false).begin;
    if (static_cast<int64_t>(tokenized.begin.size()) > num_tokens) return tokenized;
  }
}

/// What all probes of a run are made from.
struct NeedleSource {
  const Haystack& haystack;
  const Tokenizer& tokenizer;
  const ProbeFormat& format;
};

Probe make_probe(const GridPoint& point, size_t wording, const NeedleSource& source, Rng rng) {
  return draw_copyable("needle", "needle", [&] {
    const Needle needle = make_needle(wording, rng);
    const TokenizedText filler =
        long_stretch(source.haystack, point.length, Rng(rng.next()), source.tokenizer);
    const auto build = [&](int64_t filler_tokens) {
      const size_t end = filler.begin[filler_tokens];
      return place_needle(needle, cut_at_word(filler.text, end), point.depth, source.format);
    };
    Probe probe = fit_probe(point.length, build, source.tokenizer, source.format);
    probe.wording = wording;
    probe.depth = point.depth;
    return probe;
  });
}

/// Every wording once, in random order, again and again.
class WordingDeck {
 public:
  explicit WordingDeck(uint64_t seed) : rng_(seed) {}
  size_t draw() {
    if (deck_.empty()) {
      for (size_t i = 0; i < kWordings.size(); ++i) deck_.push_back(i);
      rng_.shuffle(deck_);
    }
    const size_t wording = deck_.back();
    deck_.pop_back();
    return wording;
  }

 private:
  Rng rng_;
  std::vector<size_t> deck_;
};

}  // namespace

size_t num_needle_wordings() { return kWordings.size(); }

Needle make_needle(size_t wording, Rng& rng) {
  const std::string name(pick(word_lists().names, rng));
  return kWordings.at(wording)(name, rng);
}

int64_t longest_needle(const Tokenizer& tokenizer, const ProbeFormat& format) {
  constexpr int kDraws = 16;
  Rng rng(0);
  int64_t longest = 0;
  for (size_t wording = 0; wording < kWordings.size(); ++wording) {
    for (int draw = 0; draw < kDraws; ++draw) {
      const ProbeText text = place_needle(make_needle(wording, rng), "", 0, format);
      longest = std::max(longest, encode_probe(text, tokenizer, format).length);
    }
  }
  return longest;
}

std::vector<Probe> make_needle_probes(const ProbeGrid& grid, const Haystack& haystack,
                                      const Tokenizer& tokenizer, const ProbeFormat& format) {
  Rng seeds(grid.seed);
  std::vector<Probe> probes;
  std::optional<WordingDeck> wordings;
  for (const GridPoint& point : grid_points(grid)) {
    // A deck for each length: heads differ in the wordings they serve, and lengths in their number
    // of probes.
    if (probes.empty() || probes.back().length != point.length) wordings.emplace(seeds.next());
    probes.push_back(
        make_probe(point, wordings->draw(), {haystack, tokenizer, format}, Rng(seeds.next())));
  }
  return probes;
}

}  // namespace air
