#include "text/jinja/interpreter.h"

#include <algorithm>

#include "text/jinja/loop.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

struct Macro : Function {
  Interpreter* interpreter = nullptr;
  std::shared_ptr<const MacroDefinition> definition;
  std::shared_ptr<Scope> closure;
  Value call(Runtime&, Arguments& arguments) override {
    if (!interpreter) throw RenderError("a macro is called after the rendering");
    return interpreter->call_macro(*definition, closure, arguments);
  }
  void release() override { closure.reset(), interpreter = nullptr; }
};

/// Sets a variable for the time of a block.
template <typename Type>
class Replaced {
 public:
  Replaced(Type& variable, Type value)
      : variable_(variable), before_(std::exchange(variable, std::move(value))) {}
  ~Replaced() { variable_ = std::move(before_); }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;

 private:
  Type& variable_;
  Type before_;
};

std::shared_ptr<Scope> inside(const std::shared_ptr<Scope>& parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return scope;
}

}  // namespace

Interpreter::Interpreter(const SyntaxTree& tree, std::vector<std::optional<Value>> variables,
                         const Limits& limits, const std::tm& date)
    : Runtime(limits, date), tree_(tree), variables_(std::move(variables)) {}

std::string Interpreter::run() {
  std::string out;
  const Replaced<std::string*> output(out_, &out);
  execute(tree_.body);
  return out;
}

// ---- variables ----

const Value* Interpreter::find(int symbol) const {
  for (const Scope* scope = scope_.get(); scope; scope = scope->parent.get())
    for (const auto& [name, value] : scope->variables)
      if (name == symbol) return &value;
  const std::optional<Value>& value = variables_[static_cast<size_t>(symbol)];
  return value ? &*value : nullptr;
}

Value Interpreter::look_up(int symbol) const {
  if (const Value* value = find(symbol)) return *value;
  return Value::undefined("'" + tree_.symbols[static_cast<size_t>(symbol)] + "' is undefined");
}

void Interpreter::set(int symbol, Value value) {
  if (!scope_) {
    variables_[static_cast<size_t>(symbol)] = std::move(value);
    return;
  }
  for (auto& [name, old] : scope_->variables) {
    if (name != symbol) continue;
    old = std::move(value);
    return;
  }
  scope_->variables.emplace_back(symbol, std::move(value));
}

void Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == Expression::Kind::kName) return set(target.symbol, std::move(value));
  if (target.kind == Expression::Kind::kNamespaceAttribute) {
    const Value object = look_up(target.symbol);
    if (!object.is(Kind::kNamespace))
      throw RenderError("cannot assign attribute on non-namespace object");
    if (target.name.starts_with('_'))
      throw RenderError(
          "Chat templates cannot store underscore-prefixed attributes on a namespace");
    object.as<Namespace>().attributes[target.name] = std::move(value);
    return;
  }
  const std::vector<Value> items = to_vector(*this, value);
  const size_t wanted = target.children.size();
  if (items.size() > wanted)
    throw RenderError("too many values to unpack (expected " + std::to_string(wanted) + ")");
  if (items.size() < wanted)
    throw RenderError("not enough values to unpack (expected " + std::to_string(wanted) + ", got " +
                      std::to_string(items.size()) + ")");
  for (size_t i = 0; i < wanted; ++i) assign(*target.children[i], items[i]);
}

// ---- statements ----

Interpreter::Flow Interpreter::execute(const Block& block) {
  const Level level(*this);
  for (const Statement& statement : block) {
    const Flow flow = execute(statement);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) try {
  step();
  Value storage;
  switch (statement.kind) {
    case Statement::Kind::kText:
      charge(statement.text.size());
      *out_ += statement.text;
      return Flow::kNext;
    case Statement::Kind::kPrint:
      append_text(*out_, *this, view(*statement.expression, storage));
      return Flow::kNext;
    case Statement::Kind::kIf:
      return execute(truth(view(*statement.condition, storage)) ? statement.body : statement.other);
    case Statement::Kind::kFor:
      return execute_loop(statement);
    case Statement::Kind::kSet:
      assign(*statement.target, evaluate(*statement.expression));
      return Flow::kNext;
    case Statement::Kind::kSetBlock:
      return execute_set_block(statement);
    case Statement::Kind::kMacro:
      set(statement.symbol, make_macro(statement.macro));
      return Flow::kNext;
    case Statement::Kind::kCallBlock:
      execute_call_block(statement);
      return Flow::kNext;
    case Statement::Kind::kWith:
      return execute_with(statement);
    case Statement::Kind::kGeneration: {
      const Replaced<std::shared_ptr<Scope>> scope(scope_, inside(scope_));
      return execute(statement.body);
    }
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
} catch (RenderError& error) {
  if (error.line == 0) error.line = statement.line;
  throw;
}

/// The items for which the loop's condition holds.
Value Interpreter::filtered(const Statement& statement, const Value& iterable) {
  return iterator(
      [this, &statement, around = scope_, source = Cursor(iterable)](Value& item) mutable {
        const Replaced<std::shared_ptr<Scope>> scope(scope_, inside(around));
        Value storage;
        while (source.next(item)) {
          step();
          assign(*statement.target, item);
          if (truth(view(*statement.condition, storage))) return true;
        }
        return false;
      },
      iterable);
}

Interpreter::Flow Interpreter::execute_loop(const Statement& statement) {
  Value source = evaluate(*statement.expression);
  if (statement.condition) source = filtered(statement, source);
  // One of the two: the variable `loop` is made where the body reads it.
  std::shared_ptr<Loop> loop;
  std::optional<Cursor> cursor;
  if (statement.reads_loop) {
    loop = std::make_shared<Loop>(*this, source);
    keep(loop);
  } else {
    cursor.emplace(source);
  }
  const std::shared_ptr<Scope> around = scope_;
  const Replaced<std::shared_ptr<Scope>> restored(scope_, nullptr);
  bool any = false;  // as jinja2 counts: of the bodies that ended by themselves
  for (Value item; loop ? loop->next(item) : cursor->next(item);) {
    step();
    // A scope that nothing has kept is used again.
    if (scope_ && scope_.use_count() == 1)
      scope_->variables.clear();
    else
      scope_ = inside(around);
    if (loop) set(kLoopSymbol, Value::of(Kind::kLoop, loop));
    assign(*statement.target, std::move(item));
    const Flow flow = execute(statement.body);
    if (flow == Flow::kBreak) break;
    any = any || flow == Flow::kNext;
  }
  if (any || statement.other.empty()) return Flow::kNext;
  scope_ = inside(around);
  return execute(statement.other);
}

Interpreter::Flow Interpreter::execute_set_block(const Statement& statement) {
  std::string text;
  {
    const Replaced<std::shared_ptr<Scope>> scope(scope_, inside(scope_));
    const Replaced<std::string*> output(out_, &text);
    const Flow flow = execute(statement.body);
    if (flow != Flow::kNext) return flow;
  }
  assign(*statement.target, Value::text(std::move(text)));
  return Flow::kNext;
}

void Interpreter::execute_call_block(const Statement& statement) {
  const Value caller = make_macro(statement.macro);
  const Value text = evaluate_call(*statement.expression, &caller);
  if (!text.is_string())
    throw RenderError("expected str instance, " + std::string(type_name(text)) + " found");
  append_text(*out_, *this, text);
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  const std::shared_ptr<Scope> inner = inside(scope_);
  for (const auto& [target, expression] : statement.assignments) {
    Value value = evaluate(*expression);
    const Replaced<std::shared_ptr<Scope>> scope(scope_, inner);
    assign(*target, std::move(value));
  }
  const Replaced<std::shared_ptr<Scope>> scope(scope_, inner);
  return execute(statement.body);
}

// ---- macros ----

Value Interpreter::make_macro(const std::shared_ptr<const MacroDefinition>& definition) {
  auto macro = std::make_shared<Macro>();
  macro->interpreter = this;
  macro->definition = definition;
  macro->closure = scope_;
  keep(macro);
  return Value::of(Kind::kFunction, std::move(macro));
}

Value Interpreter::call_macro(const MacroDefinition& macro, const std::shared_ptr<Scope>& closure,
                              Arguments& arguments) {
  const Replaced<std::shared_ptr<Scope>> scope(scope_, inside(closure));
  const auto fail = [&](const std::string& what) {
    throw RenderError("macro '" + macro.name + "' takes " + what);
  };
  const size_t count = macro.parameters.size();
  if (arguments.positional.size() > count)
    fail("not more than " + std::to_string(count) + " argument(s)");
  std::vector<std::optional<Value>> values(arguments.positional.begin(),
                                           arguments.positional.end());
  values.resize(count);
  Value caller = Value::undefined("No caller defined");
  for (const auto& [name, value] : arguments.named) {
    const auto is_named = [&, &name = name](const auto& entry) { return entry.first == name; };
    const auto it = std::find_if(macro.parameters.begin(), macro.parameters.end(), is_named);
    const auto i = static_cast<size_t>(it - macro.parameters.begin());
    if (i < count && i >= arguments.positional.size())
      values[i] = value;
    else if (i == count && macro.reads_caller && name == "caller")
      caller = value;
    else
      fail("no keyword argument '" + name + "'");
  }
  if (macro.reads_caller) set(kCallerSymbol, caller);
  for (size_t i = 0; i < count; ++i) {
    const auto& [name, symbol] = macro.parameters[i];
    const size_t first_default = count - macro.defaults.size();
    if (values[i])
      set(symbol, *values[i]);
    else if (i >= first_default)
      set(symbol, evaluate(*macro.defaults[i - first_default]));
    else
      set(symbol, Value::undefined("parameter '" + name + "' was not provided"));
  }
  std::string text;
  const Replaced<std::string*> output(out_, &text);
  execute(*macro.body);
  return Value::text(std::move(text));
}

}  // namespace air::jinja
