// Parses a template into its syntax tree.
#pragma once

#include <string_view>

#include "text/jinja/lexer.h"
#include "text/jinja/syntax_tree.h"

namespace air::jinja {

/// Symbols that every tree has, in this order.
enum KnownSymbol { kLoopSymbol, kCallerSymbol, kVarargsSymbol, kKwargsSymbol, kNumKnownSymbols };

/// @throws SyntaxError.
SyntaxTree parse(std::string_view source);

}  // namespace air::jinja
