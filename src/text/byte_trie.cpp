#include "text/byte_trie.h"

namespace air {

size_t ByteTrie::slot_of(uint64_t key) const {
  const size_t mask = edges_.size() - 1;
  size_t slot = (key * 0x9e3779b97f4a7c15ULL) >> 20 & mask;
  while (edges_[slot].key != UINT64_MAX && edges_[slot].key != key) slot = (slot + 1) & mask;
  return slot;
}

void ByteTrie::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  for (const Edge& edge : old)
    if (edge.key != UINT64_MAX) edges_[slot_of(edge.key)] = edge;
}

bool ByteTrie::add(std::string_view text, int32_t value) {
  uint32_t node = kRoot;
  for (const char byte : text) {
    const uint64_t edge_key = key(node, byte);
    size_t slot = slot_of(edge_key);
    if (edges_[slot].key == UINT64_MAX) {
      if (values_.size() * 2 >= edges_.size()) {
        grow();
        slot = slot_of(edge_key);
      }
      edges_[slot] = {edge_key, static_cast<uint32_t>(values_.size())};
      values_.push_back(-1);
    }
    node = edges_[slot].child;
  }
  if (node == kRoot || values_[node] >= 0) return false;
  values_[node] = value;
  return true;
}

}  // namespace air
