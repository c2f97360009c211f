#include "text/jinja/loop.h"

#include <string>

namespace air::jinja {

Loop::Loop(Runtime& runtime, const Value& iterable)
    : cursor_(iterable), size_(length_of(iterable)) {
  depth = runtime.depth_around(iterable.depth());
}

const Value* Loop::peek() {
  if (!has_after_ && !is_over_) {
    has_after_ = cursor_->next(after_);
    is_over_ = !has_after_;
  }
  return has_after_ ? &after_ : nullptr;
}

bool Loop::next(Value& item) {
  if (!peek()) return false;
  before_ = std::move(current_);
  current_ = std::move(after_);
  has_after_ = false;
  item = current_;
  ++index_;
  return true;
}

int64_t Loop::size(Runtime& runtime) {
  if (size_) return *size_;
  // What is read once is read to its end, and the rest kept.
  peek();
  std::vector<Value> rest;
  for (Value item; cursor_->next(item);) {
    runtime.charge(kItemBytes);
    rest.push_back(std::move(item));
  }
  size_ = static_cast<int64_t>(rest.size()) + index_ + 1 + (has_after_ ? 1 : 0);
  cursor_.emplace(runtime.list(std::move(rest)));
  return *size_;
}

std::optional<Value> Loop::attribute(Runtime& runtime, std::string_view name) {
  if (!cursor_) throw RenderError("a loop is read after the rendering");
  if (name == "index") return Value::integer(index_ + 1);
  if (name == "index0") return Value::integer(index_);
  if (name == "first") return Value::boolean(index_ == 0);
  if (name == "last") return Value::boolean(peek() == nullptr);
  if (name == "length") return Value::integer(size(runtime));
  if (name == "revindex") return Value::integer(size(runtime) - index_);
  if (name == "revindex0") return Value::integer(size(runtime) - index_ - 1);
  if (name == "previtem")
    return index_ == 0 ? Value::undefined("there is no previous item") : before_;
  if (name == "nextitem") {
    const Value* next = peek();
    return next ? *next : Value::undefined("there is no next item");
  }
  for (const char* other : {"cycle", "changed", "depth", "depth0"})
    if (name == other) throw RenderError("air does not know loop." + std::string(name));
  if (name.starts_with("_"))
    return Value::undefined("access to attribute '" + std::string(name) +
                            "' of 'LoopContext' object is unsafe.");
  return std::nullopt;
}

void Loop::release() {
  cursor_.reset();
  before_ = current_ = after_ = Value();
}

}  // namespace air::jinja
