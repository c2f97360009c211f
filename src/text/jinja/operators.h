// Python's operators: truth, equality, order, arithmetic, `in`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/jinja/protocols.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

enum class Operator {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kIn,
  kNotIn
};

bool truth(const Value& value);
bool equal(Budget& budget, const Value& left, const Value& right);
/// The result of one of the operators that compare. @throws RenderError where Python raises
/// TypeError.
bool compare(Runtime& runtime, Operator op, const Value& left, const Value& right);
/// The result of one of the others.
Value arithmetic(Runtime& runtime, Operator op, const Value& left, const Value& right);
Value negate(const Value& value, bool minus);

/// Fails where Python would escape `text`, which meets a text that the filter `safe` made.
void refuse_to_escape(const Value& text);

/// Fails for an undefined value as an operation on it does in jinja2.
[[noreturn]] void fail_undefined(const Value& value);

}  // namespace air::jinja
