// An embedding of each layer's own, which the layer adds to what it puts out (Gemma 4 E2B, E4B).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/linear.h"
#include "model/model_config.h"
#include "model/norm.h"

namespace air {

/// Weights of one layer's part.
struct PerLayerInput {
  at::Tensor embed_tokens;  ///< [V, P]: this layer's columns of a table of all layers
  Linear model_proj;        ///< [P, hidden], of the model's embedding of the token
  Norm norm;                ///< [P], of what the projection puts out
  Linear gate;              ///< [P, hidden], of the layer's output
  Linear out_proj;          ///< [hidden, P]
  Norm out_norm;            ///< [hidden]

  bool defined() const { return embed_tokens.defined(); }
};

/// The tokens of all rows of a pass.
struct TokenInputs {
  at::Tensor ids;       ///< [rows] int64
  at::Tensor embedded;  ///< [rows, hidden]: the model's own embedding, scaled

  TokenInputs rows(int64_t begin, int64_t length) const {
    return {ids.narrow(0, begin, length), embedded.narrow(0, begin, length)};
  }
  TokenInputs at(const at::Tensor& places) const {
    return {ids.index_select(0, places), embedded.index_select(0, places)};
  }
};

/// What a layer adds to its output. @param output [rows, hidden]   @param tokens of these rows
at::Tensor per_layer_addition(const PerLayerInput& input, const at::Tensor& output,
                              const TokenInputs& tokens, const ModelConfig& config);

}  // namespace air
