// The keys of the rotary embedding, as transformers 4 (rope_theta, rope_scaling) and 5
// (rope_parameters) write them.
#include <cmath>

#include "model/families/config_parts.h"

namespace air {

namespace {

/// `mscale` of the DeepSeek papers: how much attention is sharpened for a stretched context.
double yarn_mscale(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

double yarn_attention_factor(ConfigReader& reader, double factor) {
  const double mscale = reader.number("mscale", 0),
               mscale_all_dim = reader.number("mscale_all_dim", 0);
  const auto given = reader.optional_number("attention_factor", std::nullopt);
  if (given) return *given;
  if (mscale != 0 && mscale_all_dim != 0)
    return yarn_mscale(factor, mscale) / yarn_mscale(factor, mscale_all_dim);
  return yarn_mscale(factor, 1.0);
}

void read_yarn(ConfigReader& reader, RopeConfig& rope) {
  const double stretch = static_cast<double>(rope.max_position_embeddings) /
                         static_cast<double>(rope.original_max_position_embeddings);
  rope.factor = reader.number("factor", stretch);
  rope.attention_factor = yarn_attention_factor(reader, rope.factor);
  // transformers takes a zero for a missing value
  const double fast = reader.number("beta_fast", 32.0), slow = reader.number("beta_slow", 1.0);
  rope.beta_fast = fast == 0 ? 32.0 : fast;
  rope.beta_slow = slow == 0 ? 1.0 : slow;
  rope.truncate = reader.boolean("truncate", true);
}

void read_longrope(ConfigReader& reader, RopeConfig& rope) {
  rope.short_factor = reader.numbers("short_factor");
  rope.long_factor = reader.numbers("long_factor");
  const size_t half = rope.rotary_dim / 2;
  for (const auto& [key, size] : {std::pair{"short_factor", rope.short_factor.size()},
                                  {"long_factor", rope.long_factor.size()}})
    if (size != half)
      reader.fail("\"" + std::string(key) + "\" has " + std::to_string(size) +
                  " numbers, half the rotated dimensions of a head are " + std::to_string(half));
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  rope.factor =
      reader.number("factor", static_cast<double>(rope.max_position_embeddings) / original);
  const double computed =
      rope.factor <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(rope.factor) / std::log(original));
  rope.attention_factor = reader.number("attention_factor", computed);
}

void read_llama3(ConfigReader& reader, RopeConfig& rope) {
  rope.factor = reader.number("factor");
  rope.low_freq_factor = reader.number("low_freq_factor");
  rope.high_freq_factor = reader.number("high_freq_factor");
  if (rope.high_freq_factor == rope.low_freq_factor)
    reader.fail("high_freq_factor equals low_freq_factor");
}

RopeType read_rope_type(ConfigReader& reader, const RopeDefaults& defaults) {
  // Older checkpoints say "type".
  const std::string old_name = reader.string("type", "default");
  const std::string name = reader.string("rope_type", old_name);
  for (const std::string& alias : defaults.longrope_aliases)
    if (name == alias) return RopeType::kLongrope;
  for (const std::string& alias : defaults.default_aliases)
    if (name == alias) return RopeType::kDefault;
  std::string known;
  for (const RopeType type :
       {RopeType::kDefault, RopeType::kLinear, RopeType::kDynamic, RopeType::kLlama3,
        RopeType::kYarn, RopeType::kLongrope, RopeType::kProportional}) {
    if (type == RopeType::kProportional && !defaults.has_proportional) continue;
    if (name == name_of(type)) return type;
    known += (known.empty() ? "" : ", ") + std::string(name_of(type));
  }
  reader.fail("unknown rope_type \"" + name + "\"", "known: " + known);
}

/// Values outside the object of RoPE parameters; those inside come first.
struct OuterRopeKeys {
  double theta;
  std::optional<double> partial_rotary_factor;
  std::optional<int64_t> original_max_position_embeddings;
};

int64_t original_length(ConfigReader& reader, const OuterRopeKeys& outer,
                        int64_t max_position_embeddings) {
  const auto inner = reader.optional_integer("original_max_position_embeddings", std::nullopt);
  if (inner && outer.original_max_position_embeddings &&
      *inner != *outer.original_max_position_embeddings)
    reader.fail("\"original_max_position_embeddings\" is " + std::to_string(*inner) + " here and " +
                std::to_string(*outer.original_max_position_embeddings) +
                " in the file or by the family's default");
  const int64_t length =
      outer.original_max_position_embeddings.value_or(inner.value_or(max_position_embeddings));
  if (length <= 1)
    reader.fail("\"original_max_position_embeddings\" must be more than 1, not " +
                std::to_string(length));
  return length;
}

/// The parameters of the embedding's type.
void read_stretch(ConfigReader& reader, const ModelConfig& config, const OuterRopeKeys& outer,
                  RopeConfig& rope) {
  const auto read_original = [&] {
    rope.original_max_position_embeddings =
        original_length(reader, outer, config.max_position_embeddings);
  };
  switch (rope.type) {
    case RopeType::kDefault:
      return;
    case RopeType::kLinear:
    case RopeType::kDynamic:
      rope.factor = reader.number("factor");
      return;
    case RopeType::kLlama3:
      read_original();
      return read_llama3(reader, rope);
    case RopeType::kYarn:
      read_original();
      return read_yarn(reader, rope);
    case RopeType::kLongrope:
      read_original();
      return read_longrope(reader, rope);
    case RopeType::kProportional:
      rope.factor = reader.number("factor", 1.0);
      return;
  }
}

/// HunYuan calls it "dynamic": a base that `alpha` stretches once, for texts of any length.
void read_alpha(ConfigReader& reader, RopeConfig& rope) {
  const double alpha = reader.number("alpha", 0.0);
  if (rope.type != RopeType::kDynamic || alpha == 0) return;
  if (alpha < 0) reader.fail("\"alpha\" must be positive");
  const auto dim = static_cast<double>(rope.rotary_dim);
  rope.theta *= std::pow(alpha, dim / (dim - 2));
  rope.type = RopeType::kDefault;
  reader.harmless({"factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"});
}

/// One object of RoPE parameters.
RopeConfig read_parameters(ConfigReader& reader, const ModelConfig& config,
                           const RopeDefaults& defaults, const OuterRopeKeys& outer) {
  RopeConfig rope;
  rope.interleaved = defaults.interleaved;
  rope.max_position_embeddings = config.max_position_embeddings;
  rope.type = read_rope_type(reader, defaults);
  rope.theta = reader.number("rope_theta", outer.theta);
  if (rope.theta <= 0) reader.fail("\"rope_theta\" must be positive");
  const double share =
      reader.number("partial_rotary_factor", outer.partial_rotary_factor.value_or(1.0));
  const auto head_dim = static_cast<double>(defaults.head_dim.value_or(config.head_dim));
  if (rope.type == RopeType::kProportional) {
    // Whole heads, of which some pairs stand still.
    if (share <= 0 || share > 1) reader.fail("\"partial_rotary_factor\" is not a share");
    rope.rotary_dim = static_cast<int64_t>(head_dim);
    rope.turning_pairs = static_cast<int64_t>(std::floor(head_dim * share / 2));
  } else {
    if (!defaults.partial_rotary_factor && share != 1.0)
      reader.fail("\"partial_rotary_factor\" is " + std::to_string(share) +
                  ", this model type rotates whole heads");
    rope.rotary_dim = static_cast<int64_t>(head_dim * share);
  }
  for (const char* key : defaults.harmless_keys) reader.harmless({key});
  if (defaults.has_alpha) read_alpha(reader, rope);
  read_stretch(reader, config, outer, rope);
  if (defaults.scales_queries) {
    rope.query_scale_beta = reader.number("llama_4_scaling_beta");
    rope.original_max_position_embeddings = reader.integer("original_max_position_embeddings");
  }
  reader.finish();
  return rope;
}

/// rope_scaling or rope_parameters, whichever is there.
const Json& rope_object(ConfigReader& reader, std::string& key) {
  const Json& scaling = reader.raw("rope_scaling");
  const Json& parameters = reader.raw("rope_parameters");
  const bool has_scaling = !scaling.is_null() && !scaling.empty();
  if (has_scaling && !parameters.is_null() && parameters != scaling)
    reader.fail("both \"rope_scaling\" and \"rope_parameters\" are there, and they differ");
  key = has_scaling ? "rope_scaling" : "rope_parameters";
  return has_scaling ? scaling : parameters;
}

}  // namespace

RopeConfig read_rope(ConfigReader& reader, const ModelConfig& config,
                     const RopeDefaults& defaults) {
  std::string key;
  static const Json kNone = Json::object();
  const Json& found = rope_object(reader, key);
  const Json& object = !found.is_null()                 ? found
                       : !defaults.parameters.is_null() ? defaults.parameters
                                                        : kNone;
  ConfigReader nested(object, reader.where() + ": " + key, reader.ignored());
  OuterRopeKeys outer;
  outer.theta = reader.number("rope_theta", defaults.theta);
  outer.partial_rotary_factor =
      reader.optional_number("partial_rotary_factor", defaults.partial_rotary_factor);
  outer.original_max_position_embeddings = reader.optional_integer(
      "original_max_position_embeddings", defaults.original_max_position_embeddings);
  return read_parameters(nested, config, defaults, outer);
}

std::vector<RopeConfig> read_ropes_by_layer_type(ConfigReader& reader, const ModelConfig& config,
                                                 double full_theta, double sliding_theta) {
  std::string key;
  const Json& object = rope_object(reader, key);
  const std::string where = reader.where() + ": " + key;
  reader.expect("partial_rotary_factor", 1.0);
  reader.expect("original_max_position_embeddings", nullptr);
  // rope_scaling holds the parameters of the full layers, rope_parameters those of each type.
  const bool by_type = key == "rope_parameters";
  if (by_type && !object.is_null()) {
    ConfigReader types(object, where, reader.ignored());
    types.harmless({"full_attention", "sliding_attention"});
    types.finish();
  }
  static const Json kNone = Json::object();
  const auto parameters_of = [&](const char* type) -> const Json& {
    return by_type && object.contains(type) && !object[type].is_null() ? object[type] : kNone;
  };
  struct Part {
    std::string where;
    const Json& parameters;
    double theta;
  };
  const Part parts[] = {
      {by_type ? where + ".full_attention" : where,
       by_type ? parameters_of("full_attention") : object, full_theta},
      {where + ".sliding_attention", parameters_of("sliding_attention"), sliding_theta}};
  std::vector<RopeConfig> ropes;
  for (const Part& part : parts) {
    ConfigReader nested(part.parameters, part.where, reader.ignored());
    // transformers looks for it one level higher, where it never is
    nested.expect("truncate", true);
    ropes.push_back(read_parameters(nested, config, {}, {part.theta, std::nullopt, std::nullopt}));
  }
  return ropes;
}

RopeConfig read_rope_of_type(ConfigReader& reader, const ModelConfig& config,
                             const std::string& type, const RopeDefaults& defaults) {
  const Json& object = reader.raw("rope_parameters");
  const std::string where = reader.where() + ": rope_parameters";
  if (!object.is_null() && (!object.is_object() || !object.contains(type)))
    reader.fail("rope_parameters has no \"" + type + "\"");
  const Json& parameters = object.is_null() ? defaults.parameters : object[type];
  ConfigReader nested(parameters, where + "." + type, reader.ignored());
  return read_parameters(nested, config, defaults, {defaults.theta, std::nullopt, std::nullopt});
}

void set_ropes(ModelConfig& config, std::vector<RopeConfig> ropes) {
  config.ropes = std::move(ropes);
  for (LayerConfig& layer : config.layers) layer.rope = layer.window ? 1 : 0;
}

}  // namespace air
