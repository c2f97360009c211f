// Passes over rows that ATen makes in several. This text is compiled on the machine with the GPU
// (cuda_module.h) and includes nothing. tests/model/cuda_rows_test.cpp runs it on the CPU.
//
// Values are half precision (16 bits of bfloat16 or float16) or float32; arithmetic is float32, and
// results are rounded once. The launches, and what they promise, are cuda_calls.cpp's.

using Half = unsigned short;  // the bits
using Int64 = long long;

__device__ inline float minus_infinity() { return __uint_as_float(0xff800000U); }

struct BFloat16 {
  static __device__ inline float wide(Half x) {
    return __uint_as_float(static_cast<unsigned>(x) << 16);
  }
  static __device__ inline Half narrow(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    Half y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
#else
    if (x != x) return 0x7fff;
    const unsigned bits = __float_as_uint(x);
    return static_cast<Half>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);  // ties to even
#endif
  }
};

struct Float16 {
  static __device__ inline float wide(Half x) {
#ifdef __CUDA_ARCH__
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
#else
    return float_of_float16(x);
#endif
  }
  static __device__ inline Half narrow(float x) {
#ifdef __CUDA_ARCH__
    Half y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
#else
    return float16_of_float(x);
#endif
  }
};

// 16 bytes: what one thread moves at once.
union Eight {
  uint4 all;
  Half one[8];
};

__device__ inline Eight load_eight(const Half* from) {
  Eight x;
  x.all = *reinterpret_cast<const uint4*>(from);
  return x;
}

__device__ inline void store_eight(Half* to, const Eight& x) {
  *reinterpret_cast<uint4*>(to) = x.all;
}

// gate = silu(gate) * up. A block a row; inner is a multiple of 8.
template <typename T>
__device__ inline void silu_gate(Half* __restrict__ gate, const Half* __restrict__ up,
                                 Int64 gate_stride, Int64 up_stride, int inner) {
  gate += blockIdx.x * gate_stride;
  up += blockIdx.x * up_stride;
  for (int at = static_cast<int>(threadIdx.x) * 8; at < inner;
       at += static_cast<int>(blockDim.x) * 8) {
    Eight g = load_eight(gate + at);
    const Eight u = load_eight(up + at);
    for (int j = 0; j < 8; ++j) {
      const float x = T::wide(g.one[j]);
      g.one[j] = T::narrow(x / (1.0F + expf(-x)) * T::wide(u.one[j]));
    }
    store_eight(gate + at, g);
  }
}

// Rotates the pairs (i, i + half) of each head. blockDim.y rows a block; half is a multiple of 8.
// cos and sin: [rows, half].
template <typename T>
__device__ inline void rotate_halves(Half* x, const Half* __restrict__ cos,
                                     const Half* __restrict__ sin, Int64 rows, Int64 row_stride,
                                     Int64 head_stride, int heads, int half) {
  const Int64 row = static_cast<Int64>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const int eights = half / 8;
  for (int i = static_cast<int>(threadIdx.x); i < heads * eights;
       i += static_cast<int>(blockDim.x)) {
    const int head = i / eights, at = (i - head * eights) * 8;
    Half* first = x + row * row_stride + head * head_stride + at;
    Eight a = load_eight(first), b = load_eight(first + half);
    const Eight c = load_eight(cos + row * half + at), s = load_eight(sin + row * half + at);
    for (int j = 0; j < 8; ++j) {
      const float p = T::wide(a.one[j]), q = T::wide(b.one[j]);
      const float cosine = T::wide(c.one[j]), sine = T::wide(s.one[j]);
      a.one[j] = T::narrow(p * cosine - q * sine);
      b.one[j] = T::narrow(q * cosine + p * sine);
    }
    store_eight(first, a);
    store_eight(first + half, b);
  }
}

// What is known of some tokens of a row. Of none, or of none above -infinity: sum is 0.
struct Stats {
  float max;
  float sum;       // of e^(x - max)
  float weighted;  // of (x - max) e^(x - max)
  int top;         // the lowest id of those with x = max
};

constexpr int kNoToken = 0x7fffffff;

__device__ inline Stats no_stats() { return {minus_infinity(), 0.0F, 0.0F, kNoToken}; }

__device__ inline Stats stats_of(float x, int id) {
  // x - x: infinite and undefined logits become an undefined sum, as in log_softmax
  return x == minus_infinity() ? no_stats() : Stats{x, 1.0F + (x - x), x - x, id};
}

__device__ inline Stats joined(Stats a, Stats b) {
  if (a.sum == 0) return b;
  if (b.sum == 0) return a;
  if (b.max > a.max || (b.max == a.max && b.top < a.top)) {
    const Stats c = a;
    a = b;
    b = c;
  }
  const float down = b.max - a.max, share = expf(down);
  a.sum += b.sum * share;
  a.weighted += (b.weighted + down * b.sum) * share;
  return a;
}

// Adds the tokens first .. first + 3 and, where there are eight, first + gap .. first + gap + 3;
// all lie above what was added before.
template <int kCount>
__device__ inline void add_tokens(const float (&x)[kCount], int first, int gap, Stats& to) {
  float most = x[0];
  for (int j = 1; j < kCount; ++j) most = fmaxf(most, x[j]);
  if (most > to.max) {
    if (to.sum != 0) {  // else -infinity * 0
      const float down = to.max - most, share = expf(down);
      to.weighted = (to.weighted + down * to.sum) * share;
      to.sum *= share;
    }
    to.max = most;
    for (int j = kCount - 1; j >= 0; --j)
      if (x[j] == most) to.top = first + j + (j < 4 ? 0 : gap - 4);
  }
  const float zero = to.max == minus_infinity() ? 0.0F : to.max;
  for (int j = 0; j < kCount; ++j) {
    const float below = x[j] - zero, e = expf(below);
    to.sum += e;
    to.weighted += fmaxf(below, -1e30F) * e;  // -infinity * 0
  }
}

// A logit as the family has it.
template <bool kRaw>
struct Finish {
  const float* bias;  // or null
  float softcap;      // 0: none
  __device__ inline float operator()(float x, int id) const {
    if (kRaw) return x;
    if (bias != nullptr) x += bias[id];
    return softcap > 0 ? softcap * tanhf(x / softcap) : x;
  }
};

template <bool kRaw>
__device__ inline void load_four(const float* row, int first, const Finish<kRaw>& finish,
                                 float* to) {
  const float4 four = *reinterpret_cast<const float4*>(row + first);
  to[0] = finish(four.x, first);
  to[1] = finish(four.y, first + 1);
  to[2] = finish(four.z, first + 2);
  to[3] = finish(four.w, first + 3);
}

// What this thread of the block knows of its share of a row.
template <bool kRaw>
__device__ inline Stats stats_of_share(const float* row, int vocab, const Finish<kRaw>& finish) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  // The row in three parts: up to the first address that is a multiple of 16 bytes, fours, the rest
  const int before = (4 - static_cast<int>(reinterpret_cast<unsigned long long>(row) / 4 % 4)) % 4;
  const int head = before < vocab ? before : vocab;
  const int fours = (vocab - head) / 4, tail = vocab - head - fours * 4;
  Stats mine = no_stats();
  int four = thread;
  for (; four + threads < fours; four += 2 * threads) {
    const int first = head + four * 4;
    float x[8];
    load_four(row, first, finish, x);
    load_four(row, first + threads * 4, finish, x + 4);
    add_tokens(x, first, threads * 4, mine);
  }
  if (four < fours) {
    float x[4];
    load_four(row, head + four * 4, finish, x);
    add_tokens(x, head + four * 4, 0, mine);
  }
  if (thread < head + tail) {
    const int id = thread < head ? thread : fours * 4 + thread;
    mine = joined(mine, stats_of(finish(row[id], id), id));
  }
  return mine;
}

__device__ inline Stats stats_of_warp(Stats mine) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const Stats other = {
        __shfl_xor_sync(~0U, mine.max, lanes), __shfl_xor_sync(~0U, mine.sum, lanes),
        __shfl_xor_sync(~0U, mine.weighted, lanes), __shfl_xor_sync(~0U, mine.top, lanes)};
    mine = joined(mine, other);
  }
  return mine;
}

// -log p(target), entropy and the likeliest token of each row of logits, read once. A block of
// whole warps, at most 16, a row.
template <bool kRaw>
__device__ inline void row_stats(const float* logits, Int64 row_stride, int vocab,
                                 const Finish<kRaw>& finish, const Int64* targets, float* nll,
                                 float* entropy, int* top1) {
  const float* row = logits + blockIdx.x * row_stride;
  const int thread = static_cast<int>(threadIdx.x), warps = static_cast<int>(blockDim.x) / 32;
  Stats all = stats_of_warp(stats_of_share(row, vocab, finish));
  __shared__ Stats of_warps[16];
  if (thread % 32 == 0) of_warps[thread / 32] = all;
  __syncthreads();
  if (thread >= 32) return;
  all = stats_of_warp(thread < warps ? of_warps[thread] : no_stats());
  if (thread != 0) return;
  const float log_sum = logf(all.sum);
  const Int64 target = targets[blockIdx.x];
  const bool known = target >= 0 && target < vocab;
  nll[blockIdx.x] = known ? log_sum + (all.max - finish(row[target], static_cast<int>(target)))
                          : __uint_as_float(0x7fc00000U);  // undefined: the caller's fault
  entropy[blockIdx.x] = log_sum - all.weighted / all.sum;
  top1[blockIdx.x] = all.top == kNoToken ? 0 : all.top;
}

extern "C" {

__global__ void silu_gate_bfloat16(Half* gate, const Half* up, Int64 gate_stride, Int64 up_stride,
                                   int inner) {
  silu_gate<BFloat16>(gate, up, gate_stride, up_stride, inner);
}

__global__ void silu_gate_float16(Half* gate, const Half* up, Int64 gate_stride, Int64 up_stride,
                                  int inner) {
  silu_gate<Float16>(gate, up, gate_stride, up_stride, inner);
}

__global__ void rotate_halves_bfloat16(Half* x, const Half* cos, const Half* sin, Int64 rows,
                                       Int64 row_stride, Int64 head_stride, int heads, int half) {
  rotate_halves<BFloat16>(x, cos, sin, rows, row_stride, head_stride, heads, half);
}

__global__ void rotate_halves_float16(Half* x, const Half* cos, const Half* sin, Int64 rows,
                                      Int64 row_stride, Int64 head_stride, int heads, int half) {
  rotate_halves<Float16>(x, cos, sin, rows, row_stride, head_stride, heads, half);
}

__global__ void __launch_bounds__(512)
    logit_stats_raw(const float* logits, Int64 row_stride, int vocab, const float* bias,
                    float softcap, const Int64* targets, float* nll, float* entropy, int* top1) {
  row_stats(logits, row_stride, vocab, Finish<true>{bias, softcap}, targets, nll, entropy, top1);
}

__global__ void __launch_bounds__(512)
    logit_stats_finished(const float* logits, Int64 row_stride, int vocab, const float* bias,
                         float softcap, const Int64* targets, float* nll, float* entropy,
                         int* top1) {
  row_stats(logits, row_stride, vocab, Finish<false>{bias, softcap}, targets, nll, entropy, top1);
}

}  // extern "C"
