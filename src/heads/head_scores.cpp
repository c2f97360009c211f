#include "heads/head_scores.h"

#include "base/error.h"

namespace air {
namespace {

HeadGrid grid_of(const std::vector<std::vector<double>>& layers) {
  std::vector<int64_t> num_heads;
  for (const auto& layer : layers) num_heads.push_back(layer.size());
  return HeadGrid(num_heads);
}

}  // namespace

HeadScores::HeadScores(const std::vector<std::vector<double>>& layers) : grid_(grid_of(layers)) {
  for (const auto& layer : layers) values_.insert(values_.end(), layer.begin(), layer.end());
}

std::span<double> HeadScores::layer(int64_t index) {
  return std::span(values_).subspan(grid_.index_of({index, 0}), grid_.num_heads(index));
}

std::vector<std::vector<double>> HeadScores::layers() const {
  std::vector<std::vector<double>> layers;
  auto next = values_.begin();
  for (const int64_t num_heads : grid_.heads_per_layer()) {
    layers.emplace_back(next, next + num_heads);
    next += num_heads;
  }
  return layers;
}

void HeadScores::add(const HeadScores& other, double weight) {
  AIR_CHECK(other.grid_ == grid_);
  for (size_t i = 0; i < values_.size(); ++i) values_[i] += weight * other.values_[i];
}

void HeadScores::divide(double divisor) {
  for (double& value : values_) value /= divisor;
}

void to_json(Json& json, const HeadScores& scores) { json = scores.layers(); }

void from_json(const Json& json, HeadScores& scores) {
  scores = HeadScores(json.get<std::vector<std::vector<double>>>());
}

}  // namespace air
