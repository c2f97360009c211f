// The half of the interpreter that evaluates expressions.
#include "text/jinja/attributes.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

}  // namespace

const Value& Interpreter::view(const Expression& expression, Value& storage) {
  if (expression.kind == Expression::Kind::kConstant) return expression.value;
  if (expression.kind == Expression::Kind::kName)
    if (const Value* found = find(expression.symbol)) return *found;
  return storage = evaluate(expression);
}

Value Interpreter::evaluate(const Expression& expression) {
  if (expression.kind == Expression::Kind::kConstant) return expression.value;
  const Level level(*this);
  step();
  try {
    return evaluate_kind(expression);
  } catch (RenderError& error) {
    if (error.line == 0) error.line = expression.line;
    throw;
  }
}

Value Interpreter::evaluate_kind(const Expression& expression) {
  Value first, second;
  const auto child = [&](size_t i) { return evaluate(*expression.children[i]); };
  const auto left = [&]() -> const Value& { return view(*expression.children[0], first); };
  const auto right = [&]() -> const Value& { return view(*expression.children[1], second); };
  switch (expression.kind) {
    case Expression::Kind::kConstant:
      return expression.value;
    case Expression::Kind::kName:
      return look_up(expression.symbol);
    case Expression::Kind::kNamespaceAttribute:
      break;  // a target, which is not evaluated
    case Expression::Kind::kList:
      return list(evaluate_all(expression.children));
    case Expression::Kind::kTuple:
      return tuple(evaluate_all(expression.children));
    case Expression::Kind::kDict:
      return evaluate_dict(expression);
    case Expression::Kind::kAttribute:
      return get_attribute(*this, left(), expression.value, expression.methods);
    case Expression::Kind::kItem: {
      const Value& object = left();
      const Value& key = right();
      if (expression.children[1]->kind == Expression::Kind::kConstant)
        return get_item(*this, object, key, expression.methods);
      return get_item(*this, object, key);
    }
    case Expression::Kind::kSlice: {
      const Value object = child(0), start = child(1), stop = child(2);
      return slice(*this, object, start, stop, child(3));
    }
    case Expression::Kind::kCall:
      return evaluate_call(expression, nullptr);
    case Expression::Kind::kFilter:
      return apply(expression);
    case Expression::Kind::kTest:
      return apply(expression);
    case Expression::Kind::kNot:
      return Value::boolean(!truth(left()));
    case Expression::Kind::kNegative:
    case Expression::Kind::kPositive:
      return negate(left(), expression.kind == Expression::Kind::kNegative);
    case Expression::Kind::kAnd:
    case Expression::Kind::kOr: {
      const Value& value = left();
      return truth(value) == (expression.kind == Expression::Kind::kOr) ? value : child(1);
    }
    case Expression::Kind::kArithmetic: {
      const Value& value = left();
      return arithmetic(*this, expression.operators[0], value, right());
    }
    case Expression::Kind::kComparison:
      return Value::boolean(evaluate_comparison(expression));
    case Expression::Kind::kConcatenation:
      return evaluate_concatenation(expression);
    case Expression::Kind::kConditional:
      if (truth(left())) return child(1);
      if (expression.children.size() > 2) return child(2);
      return Value::undefined("the inline if-expression on line " +
                              std::to_string(expression.line) +
                              " evaluated to false and no else section was defined.");
  }
  return Value();
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExpressionPointer>& expressions) {
  std::vector<Value> out;
  out.reserve(expressions.size());
  for (const ExpressionPointer& expression : expressions) out.push_back(evaluate(*expression));
  return out;
}

Value Interpreter::evaluate_dict(const Expression& expression) {
  auto out = std::make_shared<Dict>();
  charge(kObjectBytes + expression.children.size() * kItemBytes);
  for (size_t i = 0; i < expression.children.size(); i += 2) {
    Value key = evaluate(*expression.children[i]);
    out->set(*this, std::move(key), evaluate(*expression.children[i + 1]));
  }
  return dict(std::move(out));
}

bool Interpreter::evaluate_comparison(const Expression& expression) {
  Value storage[2];
  const Value* left = &view(*expression.children[0], storage[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    // The one that does not hold the left operand.
    const Value& right = view(*expression.children[i + 1], storage[(i + 1) % 2]);
    if (!compare(*this, expression.operators[i], *left, right)) return false;
    left = &right;
  }
  return true;
}

Value Interpreter::evaluate_concatenation(const Expression& expression) {
  std::string out;
  Value storage;
  for (const ExpressionPointer& part : expression.children)
    append_text(out, *this, view(*part, storage));
  return Value::text(std::move(out));
}

Arguments Interpreter::evaluate_arguments(const CallArguments& arguments) {
  Arguments out;
  out.positional = evaluate_all(arguments.positional);
  if (arguments.all_positional) {
    const std::vector<Value> more = to_vector(*this, evaluate(*arguments.all_positional));
    out.positional.insert(out.positional.end(), more.begin(), more.end());
  }
  for (const auto& [name, value] : arguments.named) out.named.emplace_back(name, evaluate(*value));
  if (!arguments.all_named) return out;
  const Value more = evaluate(*arguments.all_named);
  if (!more.is(Kind::kDict)) throw RenderError("argument after ** must be a mapping");
  for (const auto& [name, value] : more.as<Dict>().entries()) {
    if (!name.is_string()) throw RenderError("keywords must be strings");
    for (const auto& [other, unused] : arguments.named)
      if (other == name.as_text())
        throw RenderError("got multiple values for keyword argument '" + other + "'");
    out.named.emplace_back(name.as_text(), value);
  }
  return out;
}

Value Interpreter::evaluate_call(const Expression& expression, const Value* caller) {
  const Expression& callee = *expression.children[0];
  const auto arguments_of_call = [&] {
    Arguments arguments = evaluate_arguments(expression.arguments);
    if (caller) arguments.named.emplace_back("caller", *caller);
    return arguments;
  };
  Value storage, function;
  if (callee.kind == Expression::Kind::kAttribute) {
    const Value& object = view(*callee.children[0], storage);
    if (const Native* method = method_of(object, callee.value, callee.methods)) {
      const Arguments arguments = arguments_of_call();
      if (object.is_markup())
        for (const Value& argument : arguments.positional)
          if (argument.is_string()) refuse_to_escape(argument);
      return jinja::run(*this, *method, object, arguments);
    }
    function = get_attribute(*this, object, callee.value, callee.methods);
  } else {
    function = evaluate(callee);
  }
  Arguments arguments = arguments_of_call();
  return call(function, arguments);
}

/// A filter or a test.
Value Interpreter::apply(const Expression& expression) {
  if (!expression.native)
    throw RenderError(
        (expression.kind == Expression::Kind::kFilter ? "No filter named '" : "No test named '") +
        expression.name + "' found.");
  Value storage;
  const Value& subject = view(*expression.children[0], storage);
  return jinja::run(*this, *expression.native, subject, evaluate_arguments(expression.arguments));
}

}  // namespace air::jinja
