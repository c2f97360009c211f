#include "model/reference_zeros.h"

#include <utility>

#include "base/error.h"
#include "model/weight_reader.h"

namespace air {

namespace {

/// The zeros of one layer's heads.
class LayerZeros {
 public:
  LayerZeros(const Checkpoint& checkpoint, const ModelConfig& config, int64_t layer,
             std::vector<ZeroedPart>& parts)
      : checkpoint_(checkpoint),
        config_(config),
        sizes_(config.layers.at(static_cast<size_t>(layer)).attention),
        prefix_(decoder_prefix(checkpoint, config.names) + "layers." + std::to_string(layer) + "."),
        parts_(parts) {}

  /// The head's queries are zero.
  void add_query(int64_t head) {
    if (config_.latent.kv_rank > 0) return add_query_of_latent(head);
    // A norm over all heads together would see the zeros of one in the scale of the others: there
    // its own weights are the last thing that a query is multiplied by.
    if (config_.qk_norm == QkNorm::kProjection) return add_norm_of_projection(head);
    require_norm_of_zeros();
    const int64_t rows_a_head = sizes_.head_dim * (config_.attention_gate ? 2 : 1);
    const char* name =
        config_.names.qkv_proj != nullptr ? config_.names.qkv_proj : config_.names.q_proj;
    // In a fused matrix the queries are the first rows; of a gated head the query is the first
    // half.
    add_rows(prefix_ + name + ".weight", head * rows_a_head);
    if (config_.qkv_bias) add_rows(prefix_ + name + ".bias", head * rows_a_head);
  }

  /// What the head puts out is multiplied by zero.
  void add_output(int64_t head) {
    const std::string name = prefix_ + config_.names.o_proj + ".weight";
    add({name, 0, config_.hidden_size, head * sizes_.v_head_dim, sizes_.v_head_dim});
  }

 private:
  /// Of latent attention: the rows that make the head's query of the latent, after its norm, or of
  /// the states where queries have none. They have no bias.
  void add_query_of_latent(int64_t head) {
    const char* name = config_.latent.q_rank > 0 ? config_.names.latent.q_up : config_.names.q_proj;
    add_rows(prefix_ + name + ".weight", head * sizes_.head_dim);
  }

  void add_norm_of_projection(int64_t head) {
    const std::string name = prefix_ + config_.names.q_norm;
    if (config_.norm.weight_offset != 0)
      refuse(name + ".weight", "is stored less one, so that zeros do not silence a head");
    add_rows(name + ".weight", head * sizes_.head_dim);
    if (config_.norm.bias) add_rows(name + ".bias", head * sizes_.head_dim);
  }

  /// A norm over each head makes zeros of zeros, unless it divides by 0 or adds something.
  void require_norm_of_zeros() const {
    if (config_.qk_norm == QkNorm::kNone) return;
    const std::string name = prefix_ + config_.names.q_norm;
    if (config_.norm.eps == 0) refuse(name, "has an epsilon of 0, and would divide zeros by zero");
    if (config_.norm.bias && config_.qk_norm == QkNorm::kHead)
      refuse(name + ".bias", "is added to the queries of all heads after they are zero");
  }

  void add_rows(const std::string& name, int64_t row) {
    const std::vector<int64_t> shape = checkpoint_.shape_of(name);
    add({name, row, sizes_.head_dim, 0, shape.size() == 2 ? shape[1] : 1});
  }

  void add(ZeroedPart part) {
    const std::vector<int64_t> shape = checkpoint_.shape_of(part.tensor);
    const int64_t columns = shape.size() == 2 ? shape[1] : 1;
    if (shape.empty() || shape.size() > 2 || part.row + part.num_rows > shape[0] ||
        part.column + part.num_columns > columns)
      refuse(part.tensor, "is not of the shape that config.json asks for");
    parts_.push_back(std::move(part));
  }

  [[noreturn]] void refuse(const std::string& tensor, const std::string& why) const {
    throw Error(ErrorKind::kModel, checkpoint_.folder().string(),
                "\"" + tensor + "\" " + why + ": the masked heads can't be written as weights");
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const AttentionSizes& sizes_;
  const std::string prefix_;
  std::vector<ZeroedPart>& parts_;
};

}  // namespace

std::vector<ZeroedPart> reference_zeros(const Checkpoint& checkpoint, const ModelConfig& config,
                                        const HeadSet& heads, MaskMode mode) {
  std::vector<ZeroedPart> parts;
  for (const Head head : heads) {
    LayerZeros layer(checkpoint, config, head.layer, parts);
    if (mode == MaskMode::kUniform)
      layer.add_query(head.head);
    else
      layer.add_output(head.head);
  }
  return parts;
}

}  // namespace air
