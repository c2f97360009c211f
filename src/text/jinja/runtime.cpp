#include "text/jinja/runtime.h"

#include <algorithm>

#include "text/jinja/operators.h"

namespace air::jinja {

Value Runtime::call(const Value& callee, Arguments& arguments) {
  if (callee.is_undefined()) fail_undefined(callee);
  if (!callee.is(Value::Kind::kFunction) && !callee.is(Value::Kind::kLoop))
    throw RenderError("'" + std::string(type_name(callee)) + "' object is not callable");
  const Level level(*this);
  step();
  // A copy, so that the function outlives what holds it.
  const std::shared_ptr<Object> function = callee.object();
  return static_cast<Function&>(*function).call(*this, arguments);
}

Value Runtime::list(std::vector<Value> items, Value::Kind kind) {
  charge(kObjectBytes + items.size() * kItemBytes);
  Value out =
      kind == Value::Kind::kTuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
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

Parameters::Parameters(const char* function, const Arguments& arguments,
                       std::initializer_list<const char*> names, size_t required)
    : function_(function), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names.size())
    throw RenderError(std::string(function) + "() takes " + std::to_string(names.size()) +
                      " arguments, not " + std::to_string(arguments.positional.size()));
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end())
      throw RenderError(std::string(function) + "() got an unexpected keyword argument '" + name +
                        "'");
    const auto i = static_cast<size_t>(it - names.begin());
    if (values_[i])
      throw RenderError(std::string(function) + "() got multiple values for argument '" + name +
                        "'");
    values_[i] = &value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!values_[i])
      throw RenderError(std::string(function) + "() misses the argument '" + names.begin()[i] +
                        "'");
}

bool Parameters::truth(size_t i, bool otherwise) const {
  return values_[i] ? jinja::truth(*values_[i]) : otherwise;
}

int64_t Parameters::integer(size_t i, int64_t otherwise) const {
  if (!values_[i]) return otherwise;
  if (values_[i]->is_undefined()) fail_undefined(*values_[i]);
  if (!values_[i]->is_integer())
    throw RenderError(std::string(function_) + "() needs an integer, not " +
                      std::string(type_name(*values_[i])));
  return values_[i]->as_integer();
}

std::string Parameters::text(size_t i, const std::string& otherwise) const {
  if (!values_[i]) return otherwise;
  if (values_[i]->is_undefined()) fail_undefined(*values_[i]);
  if (!values_[i]->is_string())
    throw RenderError(std::string(function_) + "() needs a string, not " +
                      std::string(type_name(*values_[i])));
  return values_[i]->as_text();
}

}  // namespace air::jinja
