// A trie over bytes: which of many strings begin at a place of a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace air {

/// Strings with a number each. Edges lie in one open-addressing table.
class ByteTrie {
 public:
  static constexpr uint32_t kRoot = 0;

  ByteTrie() : edges_(16) {}
  /// False when the string is empty or there already.
  bool add(std::string_view text, int32_t value);
  bool empty() const { return values_.size() == 1; }
  /// The node that `byte` leads to; kRoot: none.
  uint32_t child(uint32_t node, char byte) const { return edges_[slot_of(key(node, byte))].child; }
  /// The number of the string that ends in this node; -1: none does.
  int32_t value(uint32_t node) const { return values_[node]; }

  /// Calls visit(length, value) for each string that the text begins with, the shortest first.
  template <typename Visit>
  void for_each_prefix(std::string_view text, Visit visit) const {
    uint32_t node = kRoot;
    for (size_t i = 0; i < text.size(); ++i) {
      node = child(node, text[i]);
      if (node == kRoot) return;
      if (values_[node] >= 0) visit(i + 1, values_[node]);
    }
  }

 private:
  struct Edge {
    uint64_t key = UINT64_MAX;
    uint32_t child = kRoot;
  };
  static uint64_t key(uint32_t node, char byte) {
    return static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
  }
  size_t slot_of(uint64_t key) const;
  void grow();

  std::vector<Edge> edges_;  // a power of two, at most half full
  std::vector<int32_t> values_{-1};
};

}  // namespace air
