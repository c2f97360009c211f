// How much memory a forward pass takes, and how many tokens therefore go into one.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

#include "model/model_config.h"

namespace air {

/// Memory of a pass beside the weights, an estimate from above. Bytes.
struct PassMemory {
  int64_t fixed = 0;      ///< buffers of the row blocks, whatever the number of tokens
  int64_t per_token = 0;  ///< of each packed token, all variants together
  /// Of each token of a shared prompt once more for every trace after the first: attention on an
  /// accelerator copies its keys and values.
  int64_t per_shared_token = 0;

  int64_t of(int64_t tokens) const { return fixed + tokens * per_token; }
  /// Tokens that fit into `bytes`; 0 when not one does.
  int64_t tokens_in(int64_t bytes) const { return bytes > fixed ? (bytes - fixed) / per_token : 0; }
};

PassMemory pass_memory(const ModelConfig& config, int64_t num_variants, c10::Device device,
                       c10::ScalarType dtype);

/// Bytes that can still be had: of the machine, the process's limits and its control group, or of
/// the accelerator. 0: not known.
int64_t free_memory(c10::Device device);

/// The most memory of the host that the process has held, bytes; 0: not known. Unlike getrusage's
/// it does not begin with what the program held that started it.
int64_t peak_host_memory();

/// What --max-batch-tokens is when it is not given: as many tokens as make the device run at full
/// speed, a power of two, and no more than half of the free memory holds. `free` as free_memory
/// says.
int64_t default_batch_tokens(const PassMemory& memory, int64_t free, c10::Device device);

/// The longest trace that a pass can take; a very large number when the free memory is not known.
int64_t longest_trace(const PassMemory& memory, int64_t free);

}  // namespace air
