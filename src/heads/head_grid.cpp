#include "heads/head_grid.h"

#include <algorithm>

#include "base/error.h"

namespace air {

HeadGrid::HeadGrid(const std::vector<int64_t>& heads_per_layer) {
  for (const int64_t num_heads : heads_per_layer) first_.push_back(total() + num_heads);
}

HeadGrid HeadGrid::full(int64_t num_layers, int64_t num_heads) {
  return HeadGrid(std::vector<int64_t>(num_layers, num_heads));
}

int64_t HeadGrid::max_heads() const {
  int64_t most = 0;
  for (int64_t layer = 0; layer < num_layers(); ++layer) most = std::max(most, num_heads(layer));
  return most;
}

bool HeadGrid::contains(Head head) const {
  return head.layer >= 0 && head.layer < num_layers() && head.head >= 0 &&
         head.head < num_heads(head.layer);
}

HeadSet HeadGrid::heads_of_layer(int64_t layer) const {
  HeadSet heads;
  for (int64_t head = 0; head < num_heads(layer); ++head) heads.push_back({layer, head});
  return heads;
}

HeadSet HeadGrid::all_heads() const {
  HeadSet heads;
  for (int64_t layer = 0; layer < num_layers(); ++layer)
    for (const Head head : heads_of_layer(layer)) heads.push_back(head);
  return heads;
}

std::vector<int64_t> HeadGrid::heads_per_layer() const {
  std::vector<int64_t> heads;
  for (int64_t layer = 0; layer < num_layers(); ++layer) heads.push_back(num_heads(layer));
  return heads;
}

std::string to_string(const HeadGrid& grid) {
  std::string text = std::to_string(grid.num_layers()) + " layers × " +
                     std::to_string(grid.max_heads()) + " heads";
  const std::vector<int64_t> layers = grid.heads_per_layer();
  const auto without = std::count(layers.begin(), layers.end(), 0);
  if (without > 0) text += " (" + std::to_string(grid.num_layers() - without) + " with attention)";
  return text;
}

void check_heads(const HeadSet& heads, const HeadGrid& grid) {
  for (const Head head : heads) {
    if (grid.contains(head)) continue;
    const bool layer_exists = head.layer >= 0 && head.layer < grid.num_layers();
    if (layer_exists && grid.num_heads(head.layer) == 0)
      throw Error(ErrorKind::kModel, "",
                  "head " + to_string(head) + ": layer " + std::to_string(head.layer) +
                      " of this model has no softmax attention, and so no heads",
                  "only heads of the layers with softmax attention can be weakened");
    throw Error(ErrorKind::kModel, "",
                "head " + to_string(head) + " is not in this model of " + to_string(grid),
                "heads are counted from 0, and belong to the model they were found in");
  }
}

}  // namespace air
