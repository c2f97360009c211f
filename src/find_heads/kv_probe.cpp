#include "find_heads/kv_probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "find_heads/haystack.h"

namespace air {
namespace {

constexpr size_t kNumExamples = 3;

struct Pair {
  std::string key, value;
  std::string lead() const { return "\"" + key + "\": \""; }
  std::string json() const { return lead() + value + "\""; }
};

std::string random_key(Rng& rng) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr size_t kLength = 8;
  std::string key;
  while (key.size() < kLength) key += kCharacters[rng.below(kCharacters.size())];
  return key;
}

Pair random_pair(Rng& rng) {
  Pair pair{random_key(rng), random_sentence(rng)};
  pair.value
      .pop_back();  // without the full stop: what follows the value must not join its last token
  return pair;
}

std::string question_of(const Pair& pair) {
  return "What is the value of the key \"" + pair.key + "\"?";
}

/// What one probe is made of.
struct KvParts {
  Pair needle;
  std::array<Pair, kNumExamples> examples;
  std::array<double, kNumExamples> example_depths;
  std::vector<Pair> fillers;
};

KvParts random_parts(size_t num_fillers, Rng& rng) {
  KvParts parts;
  parts.needle = random_pair(rng);
  for (Pair& example : parts.examples) example = random_pair(rng);
  for (double& depth : parts.example_depths) depth = rng.uniform();
  for (size_t i = 0; i < num_fillers; ++i) parts.fillers.push_back(random_pair(rng));
  return parts;
}

size_t place_at(double depth, size_t size) {
  return static_cast<size_t>(std::lround(depth * static_cast<double>(size)));
}

/// The object's first fillers, as many as `num_bytes` of JSON hold, the last one cut at a word.
std::vector<Pair> fillers_of_size(const std::vector<Pair>& fillers, size_t num_bytes) {
  constexpr size_t kSeparator = 2;  // ", "
  std::vector<Pair> kept;
  size_t used = 0;
  for (const Pair& pair : fillers) {
    const size_t size = pair.json().size() + kSeparator;
    if (used + size <= num_bytes) {
      kept.push_back(pair);
      used += size;
      continue;
    }
    const size_t frame = size - pair.value.size();
    if (used + frame < num_bytes) {
      const std::string value(cut_at_word(pair.value, num_bytes - used - frame));
      if (!value.empty()) kept.push_back({pair.key, value});
    }
    break;
  }
  return kept;
}

ProbeText write_object(const KvParts& parts, size_t filler_bytes, double depth,
                       const ProbeFormat& format) {
  std::vector<Pair> pairs = fillers_of_size(parts.fillers, filler_bytes);
  for (size_t i = 0; i < kNumExamples; ++i) {
    const size_t place = place_at(parts.example_depths[i], pairs.size());
    pairs.insert(pairs.begin() + place, parts.examples[i]);
  }
  const size_t needle_place = place_at(depth, pairs.size());
  pairs.insert(pairs.begin() + needle_place, parts.needle);

  std::string text = "{";
  size_t needle_in_text = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0) text += ", ";
    if (i == needle_place) needle_in_text = text.size() + parts.needle.lead().size();
    text += pairs[i].json();
  }
  text += "}";
  for (const Pair& example : parts.examples)
    text += "\n\nQuestion: " + question_of(example) + "\nAnswer: " + example.json();

  return write_probe(
      {text, needle_in_text, question_of(parts.needle), parts.needle.lead(), parts.needle.value},
      format);
}

Probe make_probe(const GridPoint& point, const Tokenizer& tokenizer, const ProbeFormat& format,
                 Rng rng) {
  constexpr size_t kTokensPerPair = 8;  // fewer than any pair takes: the fillers surely suffice
  return draw_copyable("kv", "value", [&] {
    const KvParts parts = random_parts(point.length / kTokensPerPair + 1, rng);
    // Bytes of the fillers for a number of tokens: by the tokens of the fillers alone.
    std::string all;
    for (const Pair& pair : parts.fillers) all += pair.json() + ", ";
    const std::vector<int64_t> begin = tokenizer.encode(all, false).begin;
    const auto build = [&](int64_t filler_tokens) {
      const size_t token = std::min<size_t>(filler_tokens, begin.size() - 1);
      return write_object(parts, begin[token], point.depth, format);
    };
    Probe probe = fit_probe(point.length, build, tokenizer, format);
    probe.depth = point.depth;
    return probe;
  });
}

}  // namespace

int64_t longest_kv_frame(const Tokenizer& tokenizer, const ProbeFormat& format) {
  constexpr int kDraws = 32;
  Rng rng(0);
  int64_t longest = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const ProbeText text = write_object(random_parts(0, rng), 0, 0, format);
    longest = std::max(longest, encode_probe(text, tokenizer, format).length);
  }
  return longest;
}

std::vector<Probe> make_kv_probes(const ProbeGrid& grid, const Tokenizer& tokenizer,
                                  const ProbeFormat& format) {
  // Another stream than the needle probes of the same seed.
  constexpr uint64_t kStream = 0x6b76;
  Rng seeds(grid.seed ^ kStream);
  std::vector<Probe> probes;
  for (const GridPoint& point : grid_points(grid))
    probes.push_back(make_probe(point, tokenizer, format, Rng(seeds.next())));
  return probes;
}

}  // namespace air
