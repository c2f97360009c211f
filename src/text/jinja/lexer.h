// The tokens of a template: jinja2's lexer with trim_blocks and lstrip_blocks, as transformers sets
// it up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace air::jinja {

struct Token {
  enum class Kind {
    kData,
    kVariableBegin,
    kVariableEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string text;  ///< data and strings: unescaped; names and operators: as they stand
  int64_t integer = 0;
  double real = 0;
  int line = 1;
};

/// What is wrong with a template's text, and where.
struct SyntaxError {
  int line;
  std::string what;
};

/// @throws SyntaxError. The last token is kEnd.
std::vector<Token> tokenize(std::string_view source);

}  // namespace air::jinja
