// A width, a precision, a sign: what both of Python's ways of formatting ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja/runtime.h"

namespace air::jinja {

constexpr int kMaxWidth = 1 << 20;  ///< characters

/// What a directive of either language asks for.
struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // < > = ^; 0: the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  // , or _
  int width = 0;
  int precision = -1;
  char type = 0;
};

/// Reads digits from `i` on. @throws RenderError beyond kMaxWidth.
int read_number(std::string_view text, size_t& i);

/// @param own_align  where the text stands unless the spec says
/// @param sign_size  bytes before which `=` does not fill
std::string pad(Runtime& runtime, std::string text, const FormatSpec& spec, char own_align,
                size_t sign_size = 0);

std::string format_integer(Runtime& runtime, int64_t value, const FormatSpec& spec);
std::string format_float(Runtime& runtime, double value, FormatSpec spec);

/// True for e, f, g and their kin.
bool is_float_type(char type);

}  // namespace air::jinja
