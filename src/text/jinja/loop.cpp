#include "text/jinja/loop.h"

#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

/// loop.cycle and loop.changed.
struct LoopMethod : Function {
  std::shared_ptr<Loop> loop;
  bool is_cycle = false;
  Value call(Runtime& runtime, Arguments& arguments) override {
    if (!arguments.named.empty())
      throw RenderError("loop." + name + "() takes no keyword arguments");
    if (is_cycle) return loop->cycle(arguments.positional);
    return Value::boolean(loop->changed(runtime, arguments.positional));
  }
};

}  // namespace

Loop::Loop(Runtime& runtime, const Value& iterable, int64_t depth)
    : iterable_(iterable), iterator_(iterate(runtime, iterable)), depth_(depth) {
  this->depth = runtime.depth_around(iterable.depth());
  size_ = length_of(iterable);
}

const Value* Loop::peek() {
  if (after_) return &*after_;
  Value item;
  if (is_over_ || !iterator_->next(item)) {
    is_over_ = true;
    return nullptr;
  }
  after_ = std::move(item);
  return &*after_;
}

bool Loop::next(Runtime& runtime, Value& item) {
  runtime.step();
  if (!peek()) return false;
  before_ = std::move(current_);
  item = *after_;
  current_ = std::move(after_);
  after_.reset();
  ++index_;
  return true;
}

int64_t Loop::size(Runtime& runtime) {
  if (size_) return *size_;
  // What is read once is read to its end, and the rest kept.
  std::vector<Value> rest = to_vector(runtime, Value::of(Kind::kIterator, iterator_));
  size_ = static_cast<int64_t>(rest.size()) + index_ + 1 + (after_ ? 1 : 0);
  iterator_ = iterate(runtime, runtime.list(std::move(rest)));
  return *size_;
}

std::optional<Value> Loop::attribute(Runtime& runtime, const std::string& name) {
  if (!iterator_) throw RenderError("a loop is read after the rendering");
  if (name == "index") return Value::integer(index_ + 1);
  if (name == "index0") return Value::integer(index_);
  if (name == "first") return Value::boolean(index_ == 0);
  if (name == "last") return Value::boolean(peek() == nullptr);
  if (name == "length") return Value::integer(size(runtime));
  if (name == "revindex") return Value::integer(size(runtime) - index_);
  if (name == "revindex0") return Value::integer(size(runtime) - index_ - 1);
  if (name == "depth") return Value::integer(depth_ + 1);
  if (name == "depth0") return Value::integer(depth_);
  if (name == "previtem") {
    if (index_ == 0) return Value::undefined("there is no previous item");
    return before_ ? *before_ : Value();
  }
  if (name == "nextitem") {
    const Value* next = peek();
    return next ? *next : Value::undefined("there is no next item");
  }
  if (name == "cycle" || name == "changed") {
    auto method = std::make_shared<LoopMethod>();
    method->name = name;
    method->loop = shared_from_this();
    method->is_cycle = name == "cycle";
    method->depth = depth;
    return Value::of(Kind::kFunction, std::move(method));
  }
  if (name.starts_with("_"))
    return Value::undefined("access to attribute '" + name +
                            "' of 'LoopContext' object is unsafe.");
  return std::nullopt;
}

bool Loop::changed(Runtime& runtime, const std::vector<Value>& values) {
  const Value now = runtime.tuple(values);
  if (last_changed_ && equal(runtime, runtime.tuple(*last_changed_), now)) return false;
  last_changed_ = values;
  return true;
}

Value Loop::cycle(const std::vector<Value>& values) const {
  if (values.empty()) throw RenderError("no items for cycling given");
  return values[static_cast<size_t>(index_) % values.size()];
}

Value Loop::call(Runtime&, Arguments& arguments) {
  const Parameters parameters("loop", arguments, {"iterable"}, 1);
  if (!recurse)
    throw RenderError("The loop must have the 'recursive' marker to be called recursively.");
  return recurse(parameters.get(0), depth_ + 1);
}

void Loop::release() {
  iterable_ = Value();
  iterator_.reset();
  current_.reset();
  before_.reset();
  after_.reset();
  last_changed_.reset();
  recurse = nullptr;
}

}  // namespace air::jinja
