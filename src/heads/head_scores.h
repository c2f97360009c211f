// A number for each head of a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "heads/head_grid.h"

namespace air {

/// Values indexed by Head; a layer without heads has none.
class HeadScores {
 public:
  /// Of no model.
  HeadScores() = default;
  /// All 0.
  explicit HeadScores(const HeadGrid& grid) : grid_(grid), values_(grid.total()) {}
  /// @param layers [L][heads of the layer]
  explicit HeadScores(const std::vector<std::vector<double>>& layers);

  bool empty() const { return values_.empty(); }
  const HeadGrid& grid() const { return grid_; }
  /// @param head must be in the grid
  double& operator[](Head head) { return values_[grid_.index_of(head)]; }
  double operator[](Head head) const { return values_[grid_.index_of(head)]; }
  std::span<double> layer(int64_t index);
  /// By layer, then by head, as HeadGrid::all_heads().
  std::span<const double> values() const { return values_; }
  /// [L][heads of the layer]
  std::vector<std::vector<double>> layers() const;

  /// Adds `weight` · `other`, which has the same grid.
  void add(const HeadScores& other, double weight = 1);
  void divide(double divisor);

  friend bool operator==(const HeadScores&, const HeadScores&) = default;

 private:
  HeadGrid grid_;
  std::vector<double> values_;
};

/// As layers(), for nlohmann's conversions.
void to_json(Json& json, const HeadScores& scores);
void from_json(const Json& json, HeadScores& scores);

}  // namespace air
