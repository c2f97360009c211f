// The variable `loop` of a for statement.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// Goes over what is looped over, and tells where it is.
class Loop : public Function, public std::enable_shared_from_this<Loop> {
 public:
  /// @param depth  of a recursive loop, from 0
  Loop(Runtime& runtime, const Value& iterable, int64_t depth);

  bool next(Runtime& runtime, Value& item);
  /// None when it has no such attribute.
  std::optional<Value> attribute(Runtime& runtime, const std::string& name);
  bool changed(Runtime& runtime, const std::vector<Value>& values);
  Value cycle(const std::vector<Value>& values) const;
  /// `loop(iterable)`: renders the body of a recursive loop once more.
  Value call(Runtime& runtime, Arguments& arguments) override;
  void release() override;

  /// Set for a recursive loop.
  std::function<Value(const Value& iterable, int64_t depth)> recurse;

 private:
  int64_t size(Runtime& runtime);
  /// Reads one element ahead; null after the last.
  const Value* peek();

  Value iterable_;
  IteratorPointer iterator_;
  int64_t depth_;
  int64_t index_ = -1;
  std::optional<int64_t> size_;
  std::optional<Value> current_, before_, after_;
  bool is_over_ = false;
  std::optional<std::vector<Value>> last_changed_;
};

}  // namespace air::jinja
