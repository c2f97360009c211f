// What Python asks of its objects: str() and repr(), len(), iter(), subscripts and slices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// str(): what `{{ }}` prints. @throws RenderError for what has no fixed text, such as a function's
/// address.
std::string to_text(Budget& budget, const Value& value);
void append_text(std::string& out, Budget& budget, const Value& value);
void append_repr(std::string& out, Budget& budget, const Value& value);

/// len(); none where Python raises TypeError.
std::optional<int64_t> length_of(const Value& value);
bool is_iterable(const Value& value);

/// iter(): goes over what can be gone over.
class Cursor {
 public:
  /// @throws RenderError naming the type when it is not iterable.
  explicit Cursor(Value source);
  /// The next element; false at the end.
  bool next(Value& item);

 private:
  Value source_;
  size_t i_ = 0;
};

std::vector<Value> to_vector(Runtime& runtime, const Value& value);

/// `value[key]` without jinja2's way on to attributes; none where Python raises TypeError or
/// LookupError.
std::optional<Value> subscript(Runtime& runtime, const Value& value, const Value& key);
/// `value[start:stop:step]`; each bound may be None.
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step);

}  // namespace air::jinja
