#include "text/jinja/json_value.h"

namespace air::jinja {

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

}  // namespace air::jinja
