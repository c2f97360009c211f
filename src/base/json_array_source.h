// A JSON array as JSON Lines: an element a line.
#pragma once

#include <memory>
#include <string>

#include "base/byte_source.h"

namespace air {

/// Gives the elements of an array as they come, each with its own bytes and a line end; line ends
/// within an element, which are white space there, become spaces. What an element is, is not
/// checked.
class JsonArraySource : public ByteSource {
 public:
  /// @param inner  text whose first byte that is not white space is '['.   @param name  for
  /// messages.
  JsonArraySource(std::unique_ptr<ByteSource> inner, std::string name);
  size_t read(char* out, size_t size) override;

 private:
  enum class State { kBefore, kElement, kAfter };
  void take(char c, std::string& out);

  std::unique_ptr<ByteSource> inner_;
  std::string name_;
  std::string ready_;
  std::string spaces_;  // of an element, if more of it follows
  size_t given_ = 0;
  State state_ = State::kBefore;
  int64_t depth_ = 0;  // of braces and brackets within an element
  bool in_string_ = false, is_escaped_ = false, is_filled_ = false, expects_element_ = false;
};

}  // namespace air
