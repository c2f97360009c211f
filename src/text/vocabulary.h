// A vocabulary: token spellings and their ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace air {

/// No vocabulary is near this: a larger id is a broken file.
inline constexpr int32_t kMaxTokenId = 1 << 24;

/// Spellings in one block of memory, found by an open-addressing hash table.
class Vocabulary {
 public:
  /// @param expected number of tokens, for speed alone.
  explicit Vocabulary(size_t expected = 0);

  /// Adds a token; a spelling or an id that is there already is an error of the caller (returns
  /// false).
  bool add(std::string_view token, int32_t id);
  std::optional<int32_t> find(std::string_view token) const {
    const int32_t id = table_[slot_of(token)];
    return id < 0 ? std::nullopt : std::optional<int32_t>(id);
  }
  /// Empty when there is no such id.
  std::string_view token(int32_t id) const;
  /// Number of tokens.
  int64_t size() const { return size_; }
  /// Largest id + 1.
  int64_t end_id() const { return static_cast<int64_t>(places_.size()); }

 private:
  struct Place {
    uint32_t begin = 0;
    uint32_t size = 0;
    bool used = false;
  };
  size_t slot_of(std::string_view token) const;
  void grow(size_t slots);

  std::string bytes_;
  std::vector<Place> places_;   // by id
  std::vector<int32_t> table_;  // ids, -1: free; a power of two, at most half full
  int64_t size_ = 0;
};

}  // namespace air
