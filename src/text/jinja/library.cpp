#include "text/jinja/library.h"

#include <algorithm>
#include <unordered_map>

#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

template <size_t kPart>  // 0: keys, 1: values, 2: items
Value view(Call& call) {
  std::vector<Value> out;
  for (const auto& [key, value] : call.self.as<Dict>().entries())
    out.push_back(kPart == 0 ? key : kPart == 1 ? value : call.runtime.tuple({key, value}));
  return call.runtime.list(std::move(out), Kind::kView);
}

Value get(Call& call) {
  if (const Value* found = call.self.as<Dict>().find(call.runtime, call.get(0))) return *found;
  return call[1] ? call.get(1) : Value::none();
}

Value same(Call& call) { return call.self; }  // copy() of what cannot be changed

Value count(Call& call) {
  int64_t count = 0;
  for (const Value& item : call.self.items())
    count += equal(call.runtime, item, call.get(0)) ? 1 : 0;
  return Value::integer(count);
}

Value index(Call& call) {
  const std::vector<Value>& items = call.self.items();
  const auto it = std::find_if(items.begin(), items.end(), [&](const Value& item) {
    return equal(call.runtime, item, call.get(0));
  });
  if (it == items.end())
    throw RenderError("the value of index() is not in the " + std::string(type_name(call.self)));
  return Value::integer(it - items.begin());
}

const std::vector<Native> kDictMethods{{"items", view<2>},
                                       {"keys", view<0>},
                                       {"values", view<1>},
                                       {"get", get, {"key", "default"}, 1},
                                       {"copy", same}};
const std::vector<Native> kSequenceMethods{
    {"copy", same}, {"count", count, {"value"}, 1}, {"index", index, {"value"}, 1}};

std::unordered_map<std::string_view, Methods> all_methods() {
  std::unordered_map<std::string_view, Methods> out;
  for (const Native& method : kTextMethods) out[method.name].of_text = &method;
  for (const Native& method : kDictMethods) out[method.name].of_dict = &method;
  for (const Native& method : kSequenceMethods) out[method.name].of_sequence = &method;
  for (const char* name : {"clear", "pop", "popitem", "setdefault", "update"})
    out[name].is_unsafe_of_dict = true;
  for (const char* name :
       {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"})
    out[name].is_unsafe_of_list = true;
  for (const char* name :
       {"casefold", "center",    "encode",       "expandtabs", "format",    "format_map",
        "isascii",  "isdecimal", "isidentifier", "islower",    "isnumeric", "isprintable",
        "istitle",  "isupper",   "ljust",        "maketrans",  "rjust",     "rpartition",
        "swapcase", "title",     "translate",    "zfill"})
    out[name].is_unknown_of_text = true;
  return out;
}

}  // namespace

const Native* find_in(const std::vector<Native>& table, std::string_view name) {
  const auto it = std::find_if(table.begin(), table.end(),
                               [&](const Native& native) { return native.name == name; });
  return it == table.end() ? nullptr : &*it;
}

const Methods* find_methods(std::string_view name) {
  static const std::unordered_map<std::string_view, Methods> kMethods = all_methods();
  const auto it = kMethods.find(name);
  return it == kMethods.end() ? nullptr : &it->second;
}

const Native* find_filter(std::string_view name) {
  for (const auto* table : {&kTextFilters, &kValueFilters, &kCollectionFilters})
    if (const Native* found = find_in(*table, name)) return found;
  return nullptr;
}

const Native* find_test(std::string_view name) { return find_in(kTests, name); }

Call::Call(Runtime& runtime, const Native& native, const Value& self, const Arguments& arguments)
    : runtime(runtime), native(native), self(self), arguments(arguments) {
  if (native.takes_any) return;
  const auto fail = [&](const std::string& what) {
    throw RenderError(std::string(native.name) + "() " + what);
  };
  const auto& names = native.parameters;
  if (arguments.positional.size() > names.size())
    fail("takes " + std::to_string(names.size()) + " arguments, not " +
         std::to_string(arguments.positional.size()));
  for (size_t i = 0; i < arguments.positional.size(); ++i) given_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto i = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (i == names.size()) fail("got an unexpected keyword argument '" + name + "'");
    if (given_[i]) fail("got multiple values for argument '" + name + "'");
    given_[i] = &value;
  }
  for (size_t i = 0; i < native.required; ++i)
    if (!given_[i]) fail("misses the argument '" + std::string(names[i]) + "'");
}

Value run(Runtime& runtime, const Native& native, const Value& self, const Arguments& arguments) {
  const bool is_made = native.takes_text && !self.is_string();
  const Value& subject = is_made ? Value::text(to_text(runtime, self)) : self;
  Call call(runtime, native, subject, arguments);
  return native.run(call);
}

bool Call::truth(size_t i, bool otherwise) const {
  return given_[i] ? jinja::truth(*given_[i]) : otherwise;
}

int64_t Call::integer(size_t i, int64_t otherwise) const {
  if (!given_[i]) return otherwise;
  if (given_[i]->is_undefined()) fail_undefined(*given_[i]);
  if (!given_[i]->is_integer())
    throw RenderError(std::string(native.name) + "() needs an integer, not " +
                      std::string(type_name(*given_[i])));
  return given_[i]->as_integer();
}

const std::string& Call::string_of(const Value& value) const {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_string())
    throw RenderError(std::string(native.name) + "() needs a string, not " +
                      std::string(type_name(value)));
  return value.as_text();
}

const std::string& Call::text(size_t i) const { return string_of(get(i)); }
const std::string& Call::text() const { return string_of(self); }

}  // namespace air::jinja
