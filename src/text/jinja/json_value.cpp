#include "text/jinja/json_value.h"

#include <cmath>

#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

class Writer {
 public:
  Writer(Budget& budget, const JsonForm& form) : budget_(budget), form_(form) {}

  std::string run(const Value& value) {
    write(value);
    return std::move(out_);
  }

 private:
  void add(std::string_view text) {
    budget_.charge(text.size());
    out_ += text;
  }

  void add_text(const std::string& text) {
    add(Json(text).dump(-1, ' ', form_.ensure_ascii));  // escapes as Python does
  }

  void write(const Value& value) {
    const Level level(budget_);
    budget_.step();
    if (value.is_string()) return add_text(value.as_text());
    if (value.is_sequence())
      return write_all('[', value.items(), ']', [&](const Value& item) { write(item); });
    if (!value.is(Kind::kDict)) return add(plain(value));
    write_all('{', value.as<Dict>().entries(), '}', [&](const auto& entry) {
      add_text(entry.first.is_string() ? entry.first.as_text() : plain(entry.first));
      add(form_.key_separator);
      write(entry.second);
    });
  }

  template <typename Items, typename Write>
  void write_all(char open, const Items& items, char close, Write write_item) {
    out_ += open;
    ++depth_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) add(form_.item_separator);
      new_line();
      write_item(items[i]);
    }
    --depth_;
    if (!items.empty()) new_line();
    out_ += close;
  }

  void new_line() {
    if (!form_.indent) return;
    add("\n");
    for (size_t i = 0; i < depth_; ++i) add(*form_.indent);
  }

  static std::string plain(const Value& value) {
    if (value.is(Kind::kNone)) return "null";
    if (value.is(Kind::kBool)) return value.as_bool() ? "true" : "false";
    if (value.is(Kind::kInt)) return std::to_string(value.as_integer());
    if (!value.is(Kind::kFloat))
      throw RenderError("Object of type " + std::string(type_name(value)) +
                        " is not JSON serializable");
    const double number = value.as_float();
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
    return repr(number);
  }

  Budget& budget_;
  const JsonForm& form_;
  std::string out_;
  size_t depth_ = 0;
};

}  // namespace

Value from_json(Budget& budget, const Json& json) {
  const Level level(budget);
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > uint64_t{INT64_MAX})
        throw RenderError("an integer beyond 64 bits");
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_float:
      return Value::number(json.get<double>());
    case Json::value_t::string:
      return Value::text(json.get<std::string>());
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& item : json) items.push_back(from_json(budget, item));
      return Value::list(std::move(items));
    }
    case Json::value_t::object: {
      auto dict = std::make_shared<Dict>();
      for (const auto& [key, value] : json.items())
        dict->set(budget, Value::text(key), from_json(budget, value));
      return Value::of(Value::Kind::kDict, std::move(dict));
    }
    default:
      return Value::none();
  }
}

std::string to_json(Budget& budget, const Value& value, const JsonForm& form) {
  return Writer(budget, form).run(value);
}

}  // namespace air::jinja
