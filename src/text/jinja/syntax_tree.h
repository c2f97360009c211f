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

/// What appears between the parentheses of a call, not yet evaluated.
struct CallArguments {
  std::vector<ExpressionPointer> positional;
  std::vector<std::pair<std::string, ExpressionPointer>> named;
  ExpressionPointer all_positional, all_named;  ///< `*x`, `**x`; null: none
};

struct Expression {
  enum class Kind {
    kConstant,
    kName,
    kNamespaceAttribute,  // x.value as the target of `set`
    kList,
    kTuple,
    kDict,       // children: key, value, key, value, …
    kAttribute,  // child.value
    kItem,       // child[child]
    kSlice,      // child[child:child:child]
    kCall,       // child(arguments)
    kFilter,     // child|name(arguments)
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
  Value value;  ///< a constant, or the name of an attribute
  std::vector<ExpressionPointer> children;
  std::vector<Operator> operators;
  CallArguments arguments;
  const Native* native = nullptr;  ///< a filter or test; null: air has none of the name
  /// Of kAttribute, and of kItem with a constant for a key: the methods of that name.
  const Methods* methods = nullptr;
};

struct Statement;
using Block = std::vector<Statement>;

/// A macro, or the body of a call block.
struct MacroDefinition {
  std::string name;
  std::vector<std::pair<std::string, int>> parameters;  ///< names and symbols
  std::vector<ExpressionPointer> defaults;              ///< of the last parameters
  bool reads_caller = false;
  std::unique_ptr<Block> body;
};

struct Statement {
  enum class Kind {
    kText,
    kPrint,
    kIf,        // condition; body, other
    kFor,       // target, expression, condition; body, other
    kSet,       // target = expression
    kSetBlock,  // target = body
    kMacro,
    kCallBlock,  // expression: the call; macro: the caller
    kWith,       // targets = values; body
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
  bool reads_loop = false;
  int symbol = 0;  ///< of kMacro
  Block body, other;
};

/// A template, parsed. Variables are numbered.
struct SyntaxTree {
  Block body;
  std::vector<std::string> symbols;
};

/// Symbols that every tree has, in this order.
enum KnownSymbol { kLoopSymbol, kCallerSymbol };

/// @throws SyntaxError.
SyntaxTree parse(std::string_view source);

}  // namespace air::jinja
