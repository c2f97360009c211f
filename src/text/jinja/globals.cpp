#include <ctime>

#include "text/jinja/library.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

struct GlobalFunction : Function {
  explicit GlobalFunction(const Native& native) : native(native) {}
  Value call(Runtime& runtime, Arguments& arguments) override {
    return run(runtime, native, Value(), arguments);
  }
  const Native& native;
};

Value range(Call& call) {
  constexpr int64_t kMost = 100'000;  // jinja2's sandbox
  if (!call.arguments.named.empty()) throw RenderError("range() takes no keyword arguments");
  const bool has_start = call[1] != nullptr;
  const int64_t start = has_start ? call.integer(0, 0) : 0,
                stop = call.integer(has_start ? 1 : 0, 0), step = call.integer(2, 1);
  if (step == 0) throw RenderError("range() arg 3 must not be zero");
  const __int128 gap = static_cast<__int128>(stop) - start, wide = step;
  const __int128 size = wide > 0 ? (gap + wide - 1) / wide : (-gap - wide - 1) / -wide;
  if (size > kMost)
    throw RenderError("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  std::vector<Value> out;
  for (int64_t i = 0; i < size; ++i)
    out.push_back(Value::integer(static_cast<int64_t>(start + i * wide)));
  return call.runtime.list(std::move(out), Kind::kRange);
}

/// dict(…): of a mapping and of keywords.
std::shared_ptr<Dict> make_dict(Call& call) {
  auto out = std::make_shared<Dict>();
  for (const Value& source : call.arguments.positional) {
    if (!source.is(Kind::kDict) || call.arguments.positional.size() > 1)
      throw RenderError("air makes a dict or a namespace of one mapping, and of keywords");
    for (const auto& [key, value] : source.as<Dict>().entries()) out->set(call.runtime, key, value);
  }
  for (const auto& [name, value] : call.arguments.named)
    out->set(call.runtime, Value::text(name), value);
  return out;
}

Value dict(Call& call) { return call.runtime.dict(make_dict(call)); }

Value make_namespace(Call& call) {
  auto out = std::make_shared<Namespace>();
  const std::shared_ptr<Dict> attributes = make_dict(call);
  for (const auto& [key, value] : attributes->entries()) {
    if (!key.is_string()) throw RenderError("air needs strings as names in a namespace");
    if (key.as_text().starts_with('_'))
      throw RenderError(
          "Chat templates cannot store underscore-prefixed attributes on a namespace");
    out->attributes[key.as_text()] = value;
  }
  call.runtime.keep(out);
  return Value::of(Kind::kNamespace, std::move(out));
}

Value raise_exception(Call& call) { throw RenderError(to_text(call.runtime, call.get(0)), true); }

Value strftime_now(Call& call) {
  const std::string& format = call.text(0);
  std::string out(format.size() * 32 + 64, '\0');
  call.runtime.charge(out.size());
  const std::string ended = format + " ";  // so that an empty result is not taken for a failure
  const size_t size = std::strftime(out.data(), out.size(), ended.c_str(), &call.runtime.date());
  if (size == 0) throw RenderError("strftime_now() got a format that makes too much text");
  out.resize(size - 1);
  return Value::text(std::move(out));
}

const std::vector<Native> kFunctions{
    {.name = "dict", .run = dict, .takes_any = true},
    {.name = "namespace", .run = make_namespace, .takes_any = true},
    {"raise_exception", raise_exception, {"message"}, 1},
    {"range", range, {"start", "stop", "step"}, 1},
    {"strftime_now", strftime_now, {"format"}, 1},
};

}  // namespace

Value find_global(std::string_view name) {
  const Native* function = find_in(kFunctions, name);
  return function ? Value::of(Kind::kFunction, std::make_shared<GlobalFunction>(*function))
                  : Value();
}

}  // namespace air::jinja
