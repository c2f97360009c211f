// Sequences packed one after another, without padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace air {

struct KeyLayout;

/// Where B sequences lie in N packed rows. A sequence may continue an earlier one, its prefix, as
/// answers continue one prompt: it sees all of the prefix's tokens, which are computed once for all
/// that continue it. A prefix has none itself.
struct PackedSequences {
  std::vector<int64_t> cu_seqlens;  ///< [B + 1], from 0 to N
  std::vector<int64_t> prefix;      ///< [B]: the sequence's prefix, −1: none. Empty: none at all.
  /// The same on an accelerator (kernels/varlen_attention.h), made once for all layers; else null.
  std::shared_ptr<const KeyLayout> keys = nullptr;

  int64_t size() const { return static_cast<int64_t>(cu_seqlens.size()) - 1; }
  int64_t num_tokens() const { return cu_seqlens.back(); }
  int64_t begin(int64_t sequence) const { return cu_seqlens[sequence]; }
  int64_t length(int64_t sequence) const { return begin(sequence + 1) - begin(sequence); }
  int64_t prefix_of(int64_t sequence) const { return prefix.empty() ? -1 : prefix[sequence]; }
  /// Tokens before the sequence's first: 0 without a prefix.
  int64_t prefix_length(int64_t sequence) const {
    return prefix_of(sequence) < 0 ? 0 : length(prefix_of(sequence));
  }

  /// All of it `times` times, one after another.
  PackedSequences repeated(int64_t times) const;
};

/// Tokens of packed sequences, N in all.
struct Batch {
  at::Tensor ids;        ///< [N] int64
  at::Tensor positions;  ///< [N] int64; from 0, or from the length of the prefix
  PackedSequences sequences;

  int64_t num_tokens() const { return sequences.num_tokens(); }
  int64_t num_sequences() const { return sequences.size(); }
};

/// @param sequences none empty   @param prefix as in PackedSequences
Batch make_batch(std::span<const std::span<const int32_t>> sequences, at::Device device,
                 std::vector<int64_t> prefix = {});

}  // namespace air
