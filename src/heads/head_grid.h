// The query heads that a model has, layer by layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "heads/head_set.h"

namespace air {

/// How many query heads each layer has. A layer without softmax attention has none: nothing there
/// can be masked, ranked or drawn as a control.
class HeadGrid {
 public:
  HeadGrid() = default;
  /// @param heads_per_layer [L]; 0: no softmax attention
  explicit HeadGrid(const std::vector<int64_t>& heads_per_layer);
  /// L layers of H heads each.
  static HeadGrid full(int64_t num_layers, int64_t num_heads);

  int64_t num_layers() const { return static_cast<int64_t>(first_.size()) - 1; }
  int64_t num_heads(int64_t layer) const { return first_.at(layer + 1) - first_.at(layer); }
  /// H: the most heads that a layer has.
  int64_t max_heads() const;
  /// Heads of all layers.
  int64_t total() const { return first_.back(); }
  /// Whether every layer has H heads.
  bool is_full() const { return total() == num_layers() * max_heads(); }
  bool contains(Head head) const;

  HeadSet heads_of_layer(int64_t layer) const;
  /// By layer, then by head.
  HeadSet all_heads() const;
  /// A head's place in all_heads(). @param head must be in the grid
  int64_t index_of(Head head) const { return first_[head.layer] + head.head; }
  /// [L]
  std::vector<int64_t> heads_per_layer() const;

  friend bool operator==(const HeadGrid&, const HeadGrid&) = default;

 private:
  std::vector<int64_t> first_ = {0};  // [L + 1]: heads of all layers before this one
};

/// "24 layers × 14 heads"; "24 layers × 8 heads (6 with attention)".
std::string to_string(const HeadGrid& grid);

/// @throws Error(kModel) that names the first head that the model does not have, and no place.
void check_heads(const HeadSet& heads, const HeadGrid& grid);

/// The model that heads belong to.
struct HeadModel {
  std::string model_type;
  HeadGrid grid;
  std::string fingerprint;  ///< of the model's weights; empty: not known
};

}  // namespace air
