// The half of the interpreter that evaluates expressions.
#include "text/jinja/attributes.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

}  // namespace

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
  const auto child = [&](size_t i) { return evaluate(*expression.children[i]); };
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
      return get_attribute(*this, child(0), expression.name);
    case Expression::Kind::kItem: {
      const Value object = child(0);
      return get_item(*this, object, child(1));
    }
    case Expression::Kind::kSlice: {
      const Value object = child(0), start = child(1), stop = child(2);
      return slice(*this, object, start, stop, child(3));
    }
    case Expression::Kind::kCall:
      return evaluate_call(expression, nullptr);
    case Expression::Kind::kFilter:
      return evaluate_filter(expression, nullptr);
    case Expression::Kind::kTest: {
      if (!expression.test) throw RenderError("No test named '" + expression.name + "' found.");
      const Value subject = child(0);
      return Value::boolean(
          expression.test->holds(*this, subject, evaluate_arguments(expression.arguments)));
    }
    case Expression::Kind::kNot:
      return Value::boolean(!truth(child(0)));
    case Expression::Kind::kNegative:
    case Expression::Kind::kPositive:
      return negate(child(0), expression.kind == Expression::Kind::kNegative);
    case Expression::Kind::kAnd:
    case Expression::Kind::kOr: {
      Value left = child(0);
      return truth(left) == (expression.kind == Expression::Kind::kOr) ? left : child(1);
    }
    case Expression::Kind::kArithmetic: {
      const Value left = child(0);
      return arithmetic(*this, expression.operators[0], left, child(1));
    }
    case Expression::Kind::kComparison:
      return Value::boolean(evaluate_comparison(expression));
    case Expression::Kind::kConcatenation:
      return evaluate_concatenation(expression);
    case Expression::Kind::kConditional:
      if (truth(child(0))) return child(1);
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
  Value left = evaluate(*expression.children[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.children[i + 1]);
    if (!compare(*this, expression.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_concatenation(const Expression& expression) {
  std::string out;
  for (const ExpressionPointer& part : expression.children)
    append_text(out, *this, evaluate(*part));
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
    step(static_cast<int64_t>(out.named.size()));
    for (const auto& [other, unused] : out.named)
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
  if (callee.kind != Expression::Kind::kAttribute) {
    const Value function = evaluate(callee);
    Arguments arguments = arguments_of_call();
    return call(function, arguments);
  }
  const Value object = evaluate(*callee.children[0]);
  if (const Native method = find_method(object, callee.name))
    return method(*this, object, arguments_of_call());
  const Value function = get_attribute(*this, object, callee.name);
  Arguments arguments = arguments_of_call();
  return call(function, arguments);
}

Value Interpreter::evaluate_filter(const Expression& expression, const Value* block_text) {
  if (!expression.filter) throw RenderError("No filter named '" + expression.name + "' found.");
  const Expression* source = expression.children[0].get();
  const Value subject = !source ? *block_text
                        : block_text && source->kind == Expression::Kind::kFilter
                            ? evaluate_filter(*source, block_text)
                            : evaluate(*source);
  return expression.filter->apply(*this, subject, evaluate_arguments(expression.arguments));
}

}  // namespace air::jinja
