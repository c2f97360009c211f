#include "model/memory_plan.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <string>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#endif

#include "model/device.h"
#include "model/group_memory.h"
#include "model/kernels/cuda_attention.h"
#include "model/kernels/micro_kernel.h"
#include "model/row_blocks.h"
#include "model/scan_plan.h"

namespace air {

namespace {

// Beyond these, more tokens make nothing faster.
constexpr int64_t kCpuBatchTokens = 4096;
constexpr int64_t kAcceleratorBatchTokens = 65536;
constexpr int64_t kMinBatchTokens = 256;
// What a pass of one long trace may take of the free memory: the estimate is from above, others
// want some too.
constexpr double kShareOfOneTrace = 0.9;

// Of a limited address space: what threads' stacks and heaps reserve there and never touch, and
// oneDNN's code, whose failing allocations end the process.
constexpr int64_t kReservedAddresses = int64_t{192} << 20;

int64_t left_of_limit(int resource, const char* status_name) {
  struct rlimit limit {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<int64_t>::max();
  const int64_t used = number_in("/proc/self/status", status_name);
  const int64_t left = static_cast<int64_t>(limit.rlim_cur) - std::max<int64_t>(0, used) * 1024;
  return resource == RLIMIT_AS ? left - kReservedAddresses : left;
}

int64_t free_host_memory() {
  const int64_t available = number_in("/proc/meminfo", "MemAvailable:");
  if (available < 0) return 0;
  const int64_t left =
      std::min({available * 1024, memory_left_in_groups(), left_of_limit(RLIMIT_AS, "VmSize:"),
                left_of_limit(RLIMIT_DATA, "VmData:")});
  return std::max<int64_t>(1, left);
}

/// Numbers of a token in a Gated DeltaNet beside its state: what the recurrence reads and puts out;
/// the plan's indices, twice a convolution's width. @param size bytes of a number
int64_t delta_row(const ModelConfig& config, int64_t size) {
  const GatedDeltaConfig& delta = config.gated_delta;
  const int64_t other_bytes = 2 * delta.num_value_heads * int64_t{sizeof(float)} +
                              2 * delta.conv_width * int64_t{sizeof(int64_t)};
  return delta.channels() + delta.value_size() + other_bytes / size;
}

/// Of the pieces of the recurrence that are in work at the same time, float32 (gated_delta.cpp).
int64_t delta_buffers(const ModelConfig& config, c10::Device device) {
  const GatedDeltaConfig& delta = config.gated_delta;
  const ScanShape shape = ScanShape::for_device(device);
  const int64_t dk = delta.key_head_dim, dv = delta.value_head_dim, r = delta.group_size();
  const int64_t heads = std::min(shape.heads, delta.num_key_heads);
  // A token's channels and their copies; squares of the chunk; the system's right side and
  // solution, readers, writers, results.
  const int64_t row = 3 * delta.head_channels() + r * (4 * kChunk + 5 * dk + 4 * dv);
  const int64_t rows = shape.segment_chunks * kChunk * heads;
  const int64_t states = 2 * shape.group_sequences * heads * r * dk * dv;
  const int64_t pieces = device.is_cpu() ? at::get_num_threads() : 1;
  return pieces * (rows * row + states) * int64_t{sizeof(float)};
}

/// As delta_row, of a Mamba-2.
int64_t mamba2_row(const ModelConfig& config, int64_t size) {
  const Mamba2Config& mamba = config.mamba2;
  const int64_t other_bytes = 2 * mamba.num_heads * int64_t{sizeof(float)} +
                              2 * mamba.conv_width * int64_t{sizeof(int64_t)};
  return mamba.conv_channels() + mamba.channels() + other_bytes / size;
}

/// As delta_buffers, of a Mamba-2 (mamba2.cpp).
int64_t mamba2_buffers(const ModelConfig& config, c10::Device device) {
  const Mamba2Config& mamba = config.mamba2;
  const ScanShape shape = ScanShape::for_device(device);
  const int64_t units = std::min(shape.heads, mamba.num_units());
  const int64_t channels = mamba.unit_channels(), state = mamba.state_size * channels;
  // Channels, B and C with the copies that their convolution makes; squares of the chunk; what is
  // written, what stays, what is read.
  const int64_t row = 3 * (channels + 2 * mamba.state_size) + 2 * mamba.unit_heads() * kChunk +
                      5 * channels + state / kChunk;
  const int64_t rows = shape.segment_chunks * kChunk * units;
  const int64_t states = 2 * shape.group_sequences * units * state;
  const int64_t pieces = device.is_cpu() ? at::get_num_threads() : 1;
  return pieces * (rows * row + states) * int64_t{sizeof(float)};
}

/// Whether products take float32 copies of numbers that are kept in another dtype.
bool is_widened(c10::Device device, c10::ScalarType dtype) {
  return device.is_cpu() && is_half(dtype) && !has_micro_kernel(dtype);
}

/// Numbers of a token's states, in numbers of the model's dtype.
int64_t states_row(const ModelConfig& config, c10::Device device, c10::ScalarType dtype) {
  return config.hidden_size * (device.is_cpu() && is_half(dtype) ? 2 : 1);
}

/// Numbers of a token's keys and values that attention on an accelerator copies: put behind those
/// of a prefix, and what its kernel wants beside that.
int64_t copied_keys(const ModelConfig& config, const AttentionSizes& sizes, c10::Device device,
                    c10::ScalarType dtype) {
  const CudaAttention attention = choose_cuda_attention(sizes, config.attention_softcap, dtype,
                                                        cuda_compute_capability(device));
  return sizes.k_size() + sizes.v_size() + cuda_attention_copies(attention, sizes, dtype);
}

/// Numbers of a token in attention.
int64_t attention_row(const ModelConfig& config, const LayerConfig& layer, c10::Device device,
                      c10::ScalarType dtype) {
  const AttentionSizes& sizes = layer.attention;
  // Keys and values, unless they are another layer's, and their copies: on the CPU with those of a
  // head together.
  const int64_t own = sizes.k_size() + sizes.v_size();
  int64_t keys = (layer.kv_layer ? 0 : own) +
                 (device.is_cuda() ? copied_keys(config, sizes, device, dtype) : own);
  // All that goes in and comes out once more in float32.
  if (is_widened(device, dtype)) keys = 3 * keys + 2 * (sizes.q_size() + sizes.out_size());
  // States; queries; what is attended, or on an accelerator before it the rows that the projections
  // read: the CPU has them a block at a time.
  const int64_t read = device.is_cpu() ? 0 : config.hidden_size;
  return states_row(config, device, dtype) + sizes.q_size() + std::max(sizes.out_size(), read) +
         keys;
}

/// The most numbers of a token in a layer with attention, with what earlier layers lend.
int64_t widest_attention_row(const ModelConfig& config, c10::Device device, c10::ScalarType dtype) {
  int64_t widest = 0, lent = 0;
  for (const int64_t index : config.attention_layers()) {
    const LayerConfig& layer = config.layers[index];
    // What a Mamba-2 beside it has put out waits for it.
    const int64_t beside = layer.has_mamba2() ? config.mamba2.channels() : 0;
    widest = std::max(widest, lent + beside + attention_row(config, layer, device, dtype));
    if (config.lends_keys(index)) lent += layer.attention.k_size() + layer.attention.v_size();
  }
  return widest;
}

/// Numbers of a row in the MLP, of any layer.
int64_t mlp_row(const ModelConfig& config) {
  int64_t factor = 1;
  for (const LayerConfig& layer : config.layers) factor = std::max(factor, layer.mlp_factor);
  return (config.mlp_gate ? 2 : 1) * factor * config.intermediate_size;
}

/// Numbers of a token in the products of a mixture, each for all k experts.
int64_t mixture_row(const ModelConfig& config, c10::Device device) {
  const ExpertConfig& experts = config.experts;
  // One by one, or all at once with what goes in and comes out.
  const int64_t inputs = device.is_cpu() ? 0 : 2 * config.hidden_size;
  return experts.num_experts_per_tok * (2 * experts.intermediate_size + inputs);
}

}  // namespace

PassMemory pass_memory(const ModelConfig& config, int64_t num_variants, c10::Device device,
                       c10::ScalarType dtype) {
  const int64_t size = c10::elementSize(dtype);
  // After the last layer: states, those of the output rows, and their norm.
  const int64_t states = states_row(config, device, dtype);
  int64_t row = std::max(3 * states, widest_attention_row(config, device, dtype));
  if (config.has_mixer(Mixer::kGatedDelta)) row = std::max(row, delta_row(config, size) + states);
  if (config.has_mamba2()) row = std::max(row, mamba2_row(config, size) + states);
  if (config.has_mixer(Mixer::kShortConv)) row = std::max(row, 3 * config.hidden_size + states);
  if (config.per_layer_input.size > 0) row += states;  // the model's embedding
  const int64_t shared_inner = 2 * config.experts.shared_intermediate_size;
  // The gate of a Mamba-2 and what it gates, in float32.
  const int64_t gated = config.has_mamba2() ? 4 * config.mamba2.channels() * 4 / size : 0;
  // A row of the MLP, with what goes in and out of it.
  const int64_t wide_row =
      std::max({mlp_row(config), mixture_row(config, device), shared_inner, gated}) +
      4 * config.hidden_size;
  PassMemory memory;
  if (device.is_cuda())
    for (const int64_t index : config.attention_layers())
      memory.per_shared_token = std::max(
          memory.per_shared_token,
          size * num_variants * copied_keys(config, config.layers[index].attention, device, dtype));
  if (config.has_mixer(Mixer::kGatedDelta)) memory.fixed += delta_buffers(config, device);
  if (config.has_mamba2()) memory.fixed += mamba2_buffers(config, device);
  memory.per_token = size * num_variants * row;
  const int64_t rope_size = device.is_cpu() ? int64_t{sizeof(float)} : size;
  for (const RopeConfig& rope : config.ropes)
    memory.per_token += rope_size * num_variants * rope.rotary_dim;
  memory.fixed += size * concurrent_rows(device) * wide_row;
  // What goes into a product, what comes out, and a piece of the weight (kernels/cpu_half.cpp).
  if (is_widened(device, dtype))
    memory.fixed += int64_t{sizeof(float)} * wide_row *
                    (concurrent_rows(device) + at::get_num_threads() * kWidenedRows);
  // Scores of attention and logits: a few MiB a thread; on an accelerator a piece of logits in
  // whole rows (kernels/cuda.cpp), and explicit scores where the family caps them.
  constexpr int64_t kPiece = int64_t{1} << 30;
  memory.fixed += device.is_cpu() ? at::get_num_threads() * (int64_t{16} << 20)
                                  : kPiece + (config.attention_softcap > 0 ? kPiece : 0);
  return memory;
}

int64_t peak_host_memory() {
  return std::max<int64_t>(0, number_in("/proc/self/status", "VmHWM:")) * 1024;
}

int64_t free_memory(c10::Device device) {
  if (device.is_cpu()) return free_host_memory();
#if defined(TORCH_VERSION_MAJOR) && (TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 11)
  return static_cast<int64_t>(at::accelerator::getMemoryInfo(device.index()).first);
#else
  return 0;
#endif
}

int64_t default_batch_tokens(const PassMemory& memory, int64_t free, c10::Device device) {
  const int64_t most = device.is_cpu() ? kCpuBatchTokens : kAcceleratorBatchTokens;
  if (free <= 0) return device.is_cpu() ? kCpuBatchTokens : 4 * kCpuBatchTokens;
  int64_t tokens = kMinBatchTokens;
  while (tokens < most && 2 * tokens <= memory.tokens_in(free / 2)) tokens *= 2;
  return tokens;
}

int64_t longest_trace(const PassMemory& memory, int64_t free) {
  if (free <= 0) return std::numeric_limits<int64_t>::max();
  return memory.tokens_in(static_cast<int64_t>(kShareOfOneTrace * static_cast<double>(free)));
}

}  // namespace air
