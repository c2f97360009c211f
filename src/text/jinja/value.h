// The values of a template: Python's None, bool, int, float, str, list, tuple, dict and jinja2's
// own kinds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace air::jinja {

class Budget;
class Value;

/// What a value refers to. Everything but namespaces, loops and iterators is immutable once a
/// template sees it.
struct Object {
  virtual ~Object() = default;
  /// Drops what the object holds, so that circles of references end with the rendering.
  virtual void release() {}
  int depth = 0;  ///< levels of containers inside; bounded, so that recursion over values is
};

/// A Python object. Copies share what they refer to.
class Value {
 public:
  enum class Kind : uint8_t {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kTuple,
    kDict,
    kView,   // of a dict: its keys, values or items, which can be gone over and no more
    kRange,  // what range() makes
    kNamespace,
    kIterator,  // what filters like `map` return: it is read once
    kFunction,  // a builtin, a bound method, a macro
    kLoop,
  };

  Value() = default;  ///< undefined, by no name
  static Value none() { return Value(Kind::kNone); }
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value number(double value);
  static Value text(std::string text, bool is_markup = false);
  /// A text of one character. Those of ASCII are made once.
  static Value character(std::string_view text);
  static Value list(std::vector<Value> items) { return sequence(Kind::kList, std::move(items)); }
  static Value tuple(std::vector<Value> items) { return sequence(Kind::kTuple, std::move(items)); }
  /// @param kind  kList, kTuple, kView or kRange
  static Value sequence(Kind kind, std::vector<Value> items);
  /// @param hint  what an operation on it says when it fails
  static Value undefined(std::string hint);
  /// What `owner.name` is when there is no such thing. @param name  a string
  static Value missing(const Value& owner, const Value& name);
  static Value of(Kind kind, std::shared_ptr<Object> object) {
    return Value(kind, std::move(object));
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_string() const { return kind_ == Kind::kString; }
  /// Of a string: markupsafe's Markup, what the filter `safe` makes.
  bool is_markup() const { return is_markup_; }
  /// In Python a bool is one.
  bool is_integer() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat; }
  /// A list or a tuple.
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool has_items() const {
    return kind_ >= Kind::kList && kind_ <= Kind::kRange && !is(Kind::kDict);
  }

  bool as_bool() const { return number_.integer != 0; }
  int64_t as_integer() const { return number_.integer; }  ///< is_integer()
  double as_float() const;                                ///< is_number()
  const std::string& as_text() const;                     ///< is_string()
  const std::vector<Value>& items() const;                ///< has_items()
  std::string hint() const;                               ///< is_undefined()
  template <typename Type>
  Type& as() const {
    return static_cast<Type&>(*object_);
  }
  const std::shared_ptr<Object>& object() const { return object_; }
  int depth() const { return object_ ? object_->depth : 0; }

 private:
  explicit Value(Kind kind, std::shared_ptr<Object> object = nullptr)
      : kind_(kind), object_(std::move(object)) {}

  Kind kind_ = Kind::kUndefined;
  bool is_markup_ = false;
  Kind owner_ = Kind::kUndefined;  // of what is missing: where it was looked for
  union {
    int64_t integer = 0;
    double real;
  } number_;
  std::shared_ptr<Object> object_;
};

struct Text : Object {
  explicit Text(std::string value) : text(std::move(value)) {}
  std::string text;
};

struct Sequence : Object {
  std::vector<Value> items;
};

/// A mapping in order of insertion. @throws RenderError for a key that is neither a text nor a
/// number, a truth value, None or a tuple, and for a nesting that is too deep.
class Dict : public Object {
 public:
  void set(Budget& budget, Value key, Value value);
  const Value* find(Budget& budget, const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<std::pair<Value, Value>>& entries() const { return entries_; }

 private:
  size_t position(Budget& budget, const Value& key) const;
  size_t position(std::string_view key) const;

  std::vector<std::pair<Value, Value>> entries_;
  // The entries of keys that are strings; of dicts of more than a few entries.
  std::unordered_map<std::string_view, size_t> index_;
};

/// jinja2's namespace(): the one kind that a template may write to.
struct Namespace : Object {
  std::map<std::string, Value, std::less<>> attributes;
  void release() override { attributes.clear(); }
};

struct Iterator : Object {
  /// The next value; false at the end.
  std::function<bool(Value&)> next;
  void release() override { next = nullptr; }
};

/// What appears between the parentheses of a call.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Runtime;

struct Function : Object {
  virtual Value call(Runtime& runtime, Arguments& arguments) = 0;
};

/// The type's name as Python says it: "str", "NoneType".
std::string_view type_name(const Value& value);

}  // namespace air::jinja
