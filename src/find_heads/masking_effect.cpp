#include "find_heads/masking_effect.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <span>

#include "base/rng.h"
#include "heads/random_heads.h"
#include "model/head_mask.h"

namespace air {
namespace {

/// Sums over tokens, to be divided at the end.
struct Sums {
  double nll = 0;
  int64_t num_right = 0;
};

std::vector<HeadSet> all_variants(const MaskingPlan& plan) {
  std::vector<HeadSet> variants = {HeadSet{}, plan.critical};
  variants.insert(variants.end(), plan.random.begin(), plan.random.end());
  variants.insert(variants.end(), plan.same_layers.begin(), plan.same_layers.end());
  return variants;
}

void add_sample(const CausalLM& model, const HeadMask& mask, const LossSample& sample,
                std::vector<Sums>& sums) {
  const TextSpan span{sample.ids, sample.begin, sample.end};
  const std::vector<TokenNll> variants = model.span_nll({&span, 1}, {.mask = &mask})[0];
  const std::span gold = std::span(sample.ids).subspan(sample.begin, sample.end - sample.begin);
  for (size_t i = 0; i < variants.size(); ++i) {
    sums[i].nll += variants[i].nll_sum();
    sums[i].num_right += variants[i].num_right(gold);
  }
}

Json to_json(const Prediction& prediction) {
  return {{"nll", prediction.nll}, {"top1", prediction.top1}};
}

Json to_json(const std::vector<Prediction>& predictions) {
  Json list = Json::array();
  for (const Prediction& prediction : predictions) list.push_back(to_json(prediction));
  return list;
}

/// "+0.14 to +1.36"
std::string range_of_rises(const MaskingEffect& effect, const std::vector<Prediction>& draws) {
  double least = effect.rise(draws.front()), most = least;
  for (const Prediction& draw : draws) {
    least = std::min(least, effect.rise(draw));
    most = std::max(most, effect.rise(draw));
  }
  return fmt::format("{:+.2f} to {:+.2f}", least, most);
}

}  // namespace

LossSample sample_of(const Probe& probe) {
  return {probe.ids, probe.answer.begin, probe.answer.end};
}

std::vector<LossSample> samples_of(const std::vector<int32_t>& ids, int64_t max_tokens) {
  std::vector<LossSample> samples;
  for (auto at = ids.begin(); ids.end() - at >= 2;) {
    const int64_t size = std::min<int64_t>(max_tokens, ids.end() - at);
    samples.push_back({{at, at + size}, 1, size});
    at += size;
  }
  return samples;
}

bool MaskingEffect::exceeds_random() const {
  double most = 0, sum = 0;
  size_t num_draws = 0;
  for (const auto* draws : {&random, &same_layers}) {
    for (const Prediction& draw : *draws) {
      most = std::max(most, rise(draw));
      sum += rise(draw);
      ++num_draws;
    }
  }
  constexpr double kTimesMean = 2;
  const double mean = num_draws == 0 ? 0 : sum / static_cast<double>(num_draws);
  return rise(critical) > most && rise(critical) > kTimesMean * mean;
}

MaskingPlan make_masking_plan(const HeadSet& critical, const HeadGrid& grid, int64_t num_draws,
                              uint64_t seed) {
  Rng rng(seed);
  MaskingPlan plan;
  plan.critical = critical;
  for (int64_t draw = 0; draw < num_draws; ++draw) {
    plan.random.push_back(random_heads(critical, grid, rng));
    plan.same_layers.push_back(random_heads_of_same_layers(critical, grid, rng));
  }
  return plan;
}

MaskingEffect measure_masking(const CausalLM& model, const MaskingPlan& plan,
                              const std::vector<LossSample>& samples,
                              const std::function<void(int64_t num_tokens)>& progress) {
  const std::vector<HeadSet> variants = all_variants(plan);
  const HeadMask mask(variants, MaskMode::kUniform, model.config().head_grid());
  std::vector<Sums> sums(variants.size());
  MaskingEffect effect;
  int64_t num_done = 0;
  for (const LossSample& sample : samples) {
    add_sample(model, mask, sample, sums);
    effect.num_tokens += sample.end - sample.begin;
    progress(num_done += static_cast<int64_t>(sample.ids.size()));
  }
  std::vector<Prediction> predictions;
  const auto num_tokens = static_cast<double>(effect.num_tokens);
  for (const Sums& sum : sums)
    predictions.push_back({sum.nll / num_tokens, static_cast<double>(sum.num_right) / num_tokens});
  effect.base = predictions[0];
  effect.critical = predictions[1];
  const auto random_end = predictions.begin() + 2 + static_cast<int64_t>(plan.random.size());
  effect.random.assign(predictions.begin() + 2, random_end);
  effect.same_layers.assign(random_end, predictions.end());
  return effect;
}

Json to_json(const MaskingEffect& effect) {
  return {{"num_tokens", effect.num_tokens},
          {"base", to_json(effect.base)},
          {"critical", to_json(effect.critical)},
          {"random", to_json(effect.random)},
          {"same_layers", to_json(effect.same_layers)},
          {"special", effect.exceeds_random()}};
}

std::string describe(const MaskingEffect& effect) {
  std::string text =
      fmt::format("{:+.2f} nats per token (top-1 {:.2f} → {:.2f})", effect.rise(effect.critical),
                  effect.base.top1, effect.critical.top1);
  if (!effect.same_layers.empty())
    text += "; random heads of the same layers " + range_of_rises(effect, effect.same_layers);
  if (!effect.random.empty()) text += "; random heads " + range_of_rises(effect, effect.random);
  return text;
}

}  // namespace air
