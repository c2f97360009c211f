// Walks a template's syntax tree.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/syntax_tree.h"

namespace air::jinja {

/// The variables of a block, by symbol. Blocks inside see those around them.
struct Scope {
  std::shared_ptr<Scope> parent;  ///< null: the template's own variables
  std::vector<std::pair<int, Value>> variables;
};

class Interpreter : public Runtime {
 public:
  /// @param variables  by symbol; a symbol that has none stands for what is undefined
  Interpreter(const SyntaxTree& tree, std::vector<std::optional<Value>> variables,
              const Limits& limits, const std::tm& date);

  /// @throws RenderError.
  std::string run();

  /// What a macro writes.
  Value call_macro(const MacroDefinition& macro, const std::shared_ptr<Scope>& closure,
                   Arguments& arguments);

 private:
  enum class Flow { kNext, kBreak, kContinue };

  Flow execute(const Block& block);
  Flow execute(const Statement& statement);
  Flow execute_loop(const Statement& statement);
  Flow execute_set_block(const Statement& statement);
  void execute_call_block(const Statement& statement);
  Flow execute_with(const Statement& statement);
  Value make_macro(const std::shared_ptr<const MacroDefinition>& definition);
  Value filtered(const Statement& statement, const Value& iterable);

  Value evaluate(const Expression& expression);
  Value evaluate_kind(const Expression& expression);
  /// The value itself where it lies: of a constant, of a variable; else `storage`, which gets it.
  /// Good until the next assignment.
  const Value& view(const Expression& expression, Value& storage);
  Value evaluate_call(const Expression& expression, const Value* caller);
  Value apply(const Expression& expression);
  bool evaluate_comparison(const Expression& expression);
  Value evaluate_concatenation(const Expression& expression);
  Value evaluate_dict(const Expression& expression);
  std::vector<Value> evaluate_all(const std::vector<ExpressionPointer>& expressions);
  Arguments evaluate_arguments(const CallArguments& arguments);

  const Value* find(int symbol) const;
  Value look_up(int symbol) const;
  void assign(const Expression& target, Value value);
  void set(int symbol, Value value);

  const SyntaxTree& tree_;
  std::vector<std::optional<Value>> variables_;
  std::shared_ptr<Scope> scope_;
  std::string* out_ = nullptr;
};

}  // namespace air::jinja
