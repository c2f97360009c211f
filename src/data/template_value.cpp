#include "data/template_value.h"

#include "base/error.h"
#include "text/jinja/python_text.h"
#include "text/jinja/runtime.h"

namespace air {

namespace {

using jinja::Value;

Value converted(jinja::Budget& budget, const RecordValue& value) {
  const jinja::Level level(budget);
  switch (value.kind) {
    case RecordValue::Kind::kNull:
      return Value::none();
    case RecordValue::Kind::kBool:
      return Value::boolean(value.truth);
    case RecordValue::Kind::kNumber:
      if (value.is_not_json) throw jinja::RenderError(value.text + ", which JSON does not have");
      if (value.text.find_first_of(".eE") == std::string::npos)
        return Value::integer(*jinja::parse_integer(value.text));
      return Value::number(*jinja::parse_float(value.text));
    case RecordValue::Kind::kString:
      if (value.is_broken) throw jinja::RenderError("half a surrogate pair, which is not text");
      return Value::text(value.text);
    case RecordValue::Kind::kArray: {
      std::vector<Value> items;
      items.reserve(value.items.size());
      for (const RecordValue& item : value.items) items.push_back(converted(budget, item));
      return Value::list(std::move(items));
    }
    case RecordValue::Kind::kObject: {
      auto dict = std::make_shared<jinja::Dict>();
      for (const auto& [name, member] : value.members)
        dict->set(budget, Value::text(name), converted(budget, member));
      return Value::of(Value::Kind::kDict, std::move(dict));
    }
  }
  return Value();
}

}  // namespace

Value template_value(const RecordValue& value) {
  jinja::Budget budget{jinja::Limits()};
  try {
    return converted(budget, value);
  } catch (const jinja::RenderError& error) {
    throw Error(ErrorKind::kInput, "", std::string("for the chat template: ") + error.what());
  }
}

}  // namespace air
