// The syntax tree of a template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/library.h"
#include "text/jinja/operators.h"
#include "text/jinja/value.h"

namespace air::jinja {

struct Expression;
using ExpressionPointer = std::unique_ptr<Expression>;

/// What stands between the parentheses of a call, not yet evaluated.
struct CallArguments {
  std::vector<ExpressionPointer> positional;
  std::vector<std::pair<std::string, ExpressionPointer>> named;
  ExpressionPointer all_positional, all_named;  ///< `*x`, `**x`; null: none
};

struct Expression {
  enum class Kind {
    kConstant,
    kName,
    kNamespaceAttribute,  // x.name as the target of `set`
    kList,
    kTuple,
    kDict,       // children: key, value, key, value, …
    kAttribute,  // child.name
    kItem,       // child[child]
    kSlice,      // child[child:child:child]
    kCall,       // child(arguments)
    kFilter,     // child|name(arguments); a child that is null is the block's text
    kTest,       // child is name(arguments)
    kNot,
    kNegative,
    kPositive,
    kAnd,
    kOr,
    kArithmetic,  // child operators[0] child
    kComparison,  // child operators[0] child operators[1] child …
    kConcatenation,
    kConditional,  // condition, value, and perhaps the other value
  };
  Kind kind;
  int line = 1;
  int depth = 1;   ///< levels of expressions inside
  int symbol = 0;  ///< of kName and kNamespaceAttribute: the variable's number
  std::string name;
  Value value;
  std::vector<ExpressionPointer> children;
  std::vector<Operator> operators;
  CallArguments arguments;
  const Filter* filter = nullptr;  ///< null: not known
  const Test* test = nullptr;
};

struct Statement;
using Block = std::vector<Statement>;

/// A macro, or the body of a call block.
struct MacroDefinition {
  std::string name;
  std::vector<std::pair<std::string, int>> parameters;  ///< names and symbols
  std::vector<ExpressionPointer> defaults;              ///< of the last parameters
  bool reads_caller = false, reads_varargs = false, reads_kwargs = false;
  std::unique_ptr<Block> body;
};

struct Statement {
  enum class Kind {
    kText,
    kPrint,
    kIf,        // condition: expression; body, other
    kFor,       // target, expression, condition; body, other
    kSet,       // target = expression
    kSetBlock,  // target = body through the filters in `expression`
    kMacro,
    kCallBlock,    // expression: the call; macro: the caller
    kFilterBlock,  // body through the filters in `expression`
    kWith,         // targets = values; body
    kGeneration,
    kBreak,
    kContinue,
  };
  Kind kind;
  int line = 1;
  std::string text;
  ExpressionPointer target, expression, condition;
  std::vector<std::pair<ExpressionPointer, ExpressionPointer>> assignments;  ///< of kWith
  std::shared_ptr<const MacroDefinition> macro;
  bool is_recursive = false, reads_loop = false;
  int symbol = 0;  ///< of kMacro
  Block body, other;
};

/// A template, parsed. Variables are numbered.
struct SyntaxTree {
  Block body;
  std::vector<std::string> symbols;
};

}  // namespace air::jinja
