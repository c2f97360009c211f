#include "heads/random_heads.h"

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

}  // namespace

HeadSet random_heads(const HeadSet& heads, const HeadGrid& grid, Rng& rng) {
  HeadSet drawn;
  draw(grid.all_heads(), heads, heads.size(), rng, drawn);
  return drawn;
}

HeadSet random_heads_of_same_layers(const HeadSet& heads, const HeadGrid& grid, Rng& rng) {
  std::map<int64_t, size_t> counts;
  for (const Head head : heads) ++counts[head.layer];
  HeadSet drawn;
  for (const auto& [layer, count] : counts)
    draw(grid.heads_of_layer(layer), heads, count, rng, drawn);
  return drawn;
}

}  // namespace air
