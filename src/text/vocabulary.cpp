#include "text/vocabulary.h"

#include <bit>
#include <functional>

namespace air {

Vocabulary::Vocabulary(size_t expected) { table_.assign(std::bit_ceil(2 * expected + 16), -1); }

size_t Vocabulary::slot_of(std::string_view token) const {
  const size_t mask = table_.size() - 1;
  size_t slot = std::hash<std::string_view>{}(token)&mask;
  while (table_[slot] >= 0 && this->token(table_[slot]) != token) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::grow(size_t slots) {
  table_.assign(slots, -1);
  for (size_t id = 0; id < places_.size(); ++id)
    if (places_[id].used)
      table_[slot_of(token(static_cast<int32_t>(id)))] = static_cast<int32_t>(id);
}

bool Vocabulary::add(std::string_view token, int32_t id) {
  const auto index = static_cast<size_t>(id);
  if (index < places_.size() && places_[index].used) return false;
  if (static_cast<size_t>(size_) * 2 >= table_.size()) grow(table_.size() * 2);
  const size_t slot = slot_of(token);
  if (table_[slot] >= 0) return false;
  if (index >= places_.size()) places_.resize(index + 1);
  places_[index] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(token.size()),
                    true};
  bytes_ += token;
  table_[slot] = id;
  ++size_;
  return true;
}

std::string_view Vocabulary::token(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= places_.size()) return {};
  const Place& place = places_[static_cast<size_t>(id)];
  return std::string_view(bytes_).substr(place.begin, place.size);
}

}  // namespace air
