// The variable `loop` of a for statement.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/protocols.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// Goes over what is looped over, and tells where it is.
class Loop : public Object {
 public:
  Loop(Runtime& runtime, const Value& iterable);

  bool next(Value& item);
  /// None when it has no such attribute.
  std::optional<Value> attribute(Runtime& runtime, std::string_view name);
  void release() override;

 private:
  int64_t size(Runtime& runtime);
  /// Reads one element ahead; null after the last.
  const Value* peek();

  std::optional<Cursor> cursor_;  ///< none after the rendering
  std::optional<int64_t> size_;
  int64_t index_ = -1;
  bool has_after_ = false, is_over_ = false;
  Value before_, current_, after_;
};

}  // namespace air::jinja
