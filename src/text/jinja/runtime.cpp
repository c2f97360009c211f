#include "text/jinja/runtime.h"

#include "text/jinja/operators.h"

namespace air::jinja {

Value Runtime::call(const Value& callee, Arguments& arguments) {
  if (callee.is_undefined()) fail_undefined(callee);
  if (!callee.is(Value::Kind::kFunction))
    throw RenderError("'" + std::string(type_name(callee)) + "' object is not callable");
  const Level level(*this);
  step();
  // A copy, so that the function outlives what holds it.
  const std::shared_ptr<Object> function = callee.object();
  return static_cast<Function&>(*function).call(*this, arguments);
}

Value Runtime::list(std::vector<Value> items, Value::Kind kind) {
  charge(kObjectBytes + items.size() * kItemBytes);
  Value out = Value::sequence(kind, std::move(items));
  depth_around(out.depth() - 1);
  return out;
}

Value Runtime::iterator(std::function<bool(Value&)> next, const Value& source) {
  auto out = std::make_shared<Iterator>();
  out->depth = depth_around(source.depth());
  out->next = [this, next = std::move(next)](Value& item) {
    const Level level(*this);
    step();
    return next(item);
  };
  return Value::of(Value::Kind::kIterator, std::move(out));
}

}  // namespace air::jinja
