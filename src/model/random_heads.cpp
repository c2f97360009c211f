#include "model/random_heads.h"

#include <algorithm>
#include <map>

namespace air {
namespace {

bool contains(const HeadSet& heads, Head head) {
  return std::find(heads.begin(), heads.end(), head) != heads.end();
}

/// `count` of the candidates at random, those outside `heads` first.
void draw(HeadSet candidates, const HeadSet& heads, size_t count, Rng& rng, HeadSet& drawn) {
  rng.shuffle(candidates);
  std::stable_partition(candidates.begin(), candidates.end(),
                        [&](Head head) { return !contains(heads, head); });
  candidates.resize(std::min(count, candidates.size()));
  drawn.insert(drawn.end(), candidates.begin(), candidates.end());
}

HeadSet heads_of_layer(int64_t layer, int64_t num_attention_heads) {
  HeadSet heads;
  for (int64_t head = 0; head < num_attention_heads; ++head) heads.push_back({layer, head});
  return heads;
}

}  // namespace

HeadSet random_heads(const HeadSet& heads, int64_t num_hidden_layers, int64_t num_attention_heads,
                     Rng& rng) {
  HeadSet all;
  for (int64_t layer = 0; layer < num_hidden_layers; ++layer) {
    const HeadSet of_layer = heads_of_layer(layer, num_attention_heads);
    all.insert(all.end(), of_layer.begin(), of_layer.end());
  }
  HeadSet drawn;
  draw(std::move(all), heads, heads.size(), rng, drawn);
  return drawn;
}

HeadSet random_heads_of_same_layers(const HeadSet& heads, int64_t num_attention_heads, Rng& rng) {
  std::map<int64_t, size_t> counts;
  for (const Head head : heads) ++counts[head.layer];
  HeadSet drawn;
  for (const auto& [layer, count] : counts)
    draw(heads_of_layer(layer, num_attention_heads), heads, count, rng, drawn);
  return drawn;
}

}  // namespace air
