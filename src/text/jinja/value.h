// The values of a template: Python's None, bool, int, float, str, list, tuple, dict and jinja2's
// own kinds.
#pragma once

#include <cstdint>
#include <functional>
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
    kView,  // of a dict: keys, values or items
    kRange,
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
  static Value text(std::shared_ptr<const Object> text);
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  /// @param hint  what an operation on it says when it fails
  static Value undefined(std::string hint);
  static Value of(Kind kind, std::shared_ptr<Object> object) {
    return Value(kind, std::move(object));
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_markup() const {
    return is_markup_;
  }  ///< of a string: markupsafe's Markup, what the filter `safe` makes
  bool is_integer() const {
    return kind_ == Kind::kInt || kind_ == Kind::kBool;
  }  ///< in Python a bool is one
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }

  bool as_bool() const { return number_.integer != 0; }
  int64_t as_integer() const { return number_.integer; }  ///< is_integer()
  double as_float() const;                                ///< is_number()
  const std::string& as_text() const;                     ///< is_string()
  const std::vector<Value>& items() const;                ///< is_sequence()
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

/// A mapping in order of insertion. @throws RenderError for a key that cannot be hashed or a
/// nesting that is too deep.
class Dict : public Object {
 public:
  void set(Budget& budget, Value key, Value value);
  const Value* find(Budget& budget, const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<std::pair<Value, Value>>& entries() const { return entries_; }

 private:
  size_t position(Budget& budget, const Value& key, size_t hash) const;

  std::vector<std::pair<Value, Value>> entries_;
  std::unordered_multimap<size_t, size_t>
      index_;  // hash → entry; of dicts of more than a few entries
};

struct View : Object {
  enum class Part { kKeys, kValues, kItems };
  std::shared_ptr<Dict> dict;
  Part part = Part::kKeys;
  Value at(size_t i) const;
};

struct Range : Object {
  int64_t start = 0, stop = 0, step = 1, size = 0;
};

/// jinja2's namespace(): the one kind that a template may write to.
struct Namespace : Object {
  std::vector<std::pair<std::string, Value>> attributes;
  void release() override { attributes.clear(); }
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

struct Iterator : Object {
  /// The next value; false at the end.
  std::function<bool(Value&)> next;
  void release() override { next = nullptr; }
};
using IteratorPointer = std::shared_ptr<Iterator>;

/// What stands between the parentheses of a call.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Runtime;

struct Function : Object {
  std::string name;
  virtual Value call(Runtime& runtime, Arguments& arguments) = 0;
};

/// A function of C++ code.
using Native = Value (*)(Runtime& runtime, const Value& subject, const Arguments& arguments);

/// The type's name as Python says it: "str", "NoneType".
std::string_view type_name(const Value& value);

}  // namespace air::jinja
