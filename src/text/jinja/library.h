// The filters, tests, methods and functions that a template may name.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

class Call;

/// A function of C++ code: a filter, a test, a method of a type, or a function by itself.
struct Native {
  std::string_view name;
  Value (*run)(Call& call);
  std::vector<std::string_view> parameters = {};  ///< at most Call::kMost
  size_t required = 0;                            ///< how many of them must be given
  bool takes_any = false;                         ///< the function looks at its arguments itself
  bool takes_text = false;                        ///< what it is applied to is made a text first
};

/// A call of one: what it is applied to, and its arguments by the numbers of its parameters.
class Call {
 public:
  static constexpr size_t kMost = 4;

  /// @param self  what a filter, test or method is applied to. @throws RenderError for arguments
  /// that it does not take.
  Call(Runtime& runtime, const Native& native, const Value& self, const Arguments& arguments);

  /// Null when it was not given.
  const Value* operator[](size_t i) const { return given_[i]; }
  const Value& get(size_t i) const { return *given_[i]; }
  /// True when it was given and is not None.
  bool has(size_t i) const { return given_[i] && !given_[i]->is(Value::Kind::kNone); }
  bool truth(size_t i, bool otherwise) const;
  /// @throws RenderError when it was given and is not an integer.
  int64_t integer(size_t i, int64_t otherwise) const;
  const std::string& text(size_t i) const;
  /// The text that a filter or method is applied to. @throws RenderError when it is not a text.
  const std::string& text() const;
  /// A text that is markup when the subject is.
  Value made(std::string text) const { return runtime.text(std::move(text), self.is_markup()); }

  Runtime& runtime;
  const Native& native;
  const Value& self;
  const Arguments& arguments;

 private:
  const std::string& string_of(const Value& value) const;

  std::array<const Value*, kMost> given_{};
};

Value run(Runtime& runtime, const Native& native, const Value& self, const Arguments& arguments);

/// Null when air has none of the name.
const Native* find_filter(std::string_view name);
const Native* find_test(std::string_view name);

/// range, dict, namespace, raise_exception, strftime_now; undefined when there is none of the name.
Value find_global(std::string_view name);

/// What the types have of one name.
struct Methods {
  const Native* of_text = nullptr;
  const Native* of_dict = nullptr;
  const Native* of_sequence = nullptr;  ///< of lists and tuples
  /// Types have it that air refuses: what changes a value, and what no chat template uses.
  bool is_unsafe_of_dict = false, is_unsafe_of_list = false, is_unknown_of_text = false;
};

/// Null when no type has a method of the name.
const Methods* find_methods(std::string_view name);

// The tables, a source file each.
extern const std::vector<Native> kTextMethods, kTextFilters, kValueFilters, kCollectionFilters,
    kTests;

/// Null when there is none of the name.
const Native* find_in(const std::vector<Native>& table, std::string_view name);

}  // namespace air::jinja
