// What the parts of a rendering share: its bounds, its errors, and the way to call a value.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "text/jinja/value.h"

namespace air::jinja {

/// What stops a rendering; the interpreter adds the line.
class RenderError : public std::runtime_error {
 public:
  explicit RenderError(const std::string& what, bool is_raised = false)
      : std::runtime_error(what), is_raised_by_template(is_raised) {}
  bool is_raised_by_template;  ///< by raise_exception
  int line = 0;
};

/// How much one rendering may do before it ends with an error.
struct Limits {
  int64_t steps = 20'000'000;      ///< nodes evaluated, values compared, …
  size_t bytes = size_t{1} << 29;  ///< of all texts and lists made, together
  int depth = 1000;                ///< expressions, macros and containers inside one another
};

constexpr size_t kItemBytes = 64;     ///< what an item of a list costs
constexpr size_t kObjectBytes = 256;  ///< and a list itself

/// What is left of the limits.
class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}
  void step(int64_t count = 1) {
    if ((steps_ += count) > limits_.steps) throw RenderError("the template takes too many steps");
  }
  /// Accounts for a text or list before it is made.
  void charge(size_t bytes) {
    if (bytes > limits_.bytes - bytes_) throw RenderError("the template makes too much text");
    bytes_ += bytes;
    step(static_cast<int64_t>(bytes / 64));
  }
  void enter() {
    if (++depth_ > limits_.depth) throw RenderError("the template is nested too deeply");
  }
  void leave() { --depth_; }
  /// The depth of a container around values of this depth.
  int depth_around(int depth) const {
    if (depth >= limits_.depth) throw RenderError("a value is nested too deeply");
    return depth + 1;
  }

 private:
  Limits limits_;
  int64_t steps_ = 0;
  size_t bytes_ = 0;
  int depth_ = 0;
};

/// A level of recursion.
class Level {
 public:
  explicit Level(Budget& budget) : budget_(budget) { budget_.enter(); }
  ~Level() { budget_.leave(); }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  Budget& budget_;
};

class Runtime : public Budget {
 public:
  Runtime(const Limits& limits, const std::tm& date) : Budget(limits), date_(date) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() {
    for (const auto& object : circular_) object->release();
  }

  Value call(const Value& callee, Arguments& arguments);

  Value text(std::string text, bool is_markup = false) {
    charge(text.size());
    return Value::text(std::move(text), is_markup);
  }
  /// @param kind  one of those of Value::sequence()
  Value list(std::vector<Value> items, Value::Kind kind = Value::Kind::kList);
  Value tuple(std::vector<Value> items) { return list(std::move(items), Value::Kind::kTuple); }
  Value dict(std::shared_ptr<Dict> dict) { return Value::of(Value::Kind::kDict, std::move(dict)); }
  /// A value that is read once. @param source  what it reads
  Value iterator(std::function<bool(Value&)> next, const Value& source);
  /// Objects that may hold themselves: they are emptied at the end.
  void keep(std::shared_ptr<Object> object) {
    charge(kObjectBytes);
    circular_.push_back(std::move(object));
  }
  /// What strftime_now() tells.
  const std::tm& date() const { return date_; }

 private:
  std::tm date_;
  std::vector<std::shared_ptr<Object>> circular_;
};

}  // namespace air::jinja
