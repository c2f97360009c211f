#include "report/sha256.h"

#include <bit>
#include <cmath>

namespace air {

namespace {

constexpr size_t kBlock = 64;
constexpr size_t kRounds = 64;

/// The first `count` primes.
template <size_t kCount>
constexpr std::array<uint32_t, kCount> first_primes() {
  std::array<uint32_t, kCount> primes{};
  size_t found = 0;
  for (uint32_t candidate = 2; found < kCount; ++candidate) {
    bool prime = true;
    for (uint32_t divisor = 2; divisor * divisor <= candidate; ++divisor)
      prime = prime && candidate % divisor != 0;
    if (prime) primes[found++] = candidate;
  }
  return primes;
}

/// The standard's constants: the first 32 bits of the fractions of the primes' roots.
uint32_t fraction_bits(long double root) {
  return static_cast<uint32_t>((root - std::floor(root)) * 4294967296.0L);
}

std::array<uint32_t, kRounds> round_constants() {
  std::array<uint32_t, kRounds> constants{};
  const auto primes = first_primes<kRounds>();
  for (size_t i = 0; i < kRounds; ++i)
    constants[i] = fraction_bits(std::cbrt(static_cast<long double>(primes[i])));
  return constants;
}

std::array<uint32_t, 8> initial_state() {
  std::array<uint32_t, 8> state{};
  const auto primes = first_primes<8>();
  for (size_t i = 0; i < state.size(); ++i)
    state[i] = fraction_bits(std::sqrt(static_cast<long double>(primes[i])));
  return state;
}

void add_block(std::array<uint32_t, 8>& state, const unsigned char* block) {
  static const std::array<uint32_t, kRounds> constants = round_constants();
  std::array<uint32_t, kRounds> w{};
  for (size_t i = 0; i < 16; ++i)
    w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
           uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
  for (size_t i = 16; i < kRounds; ++i) {
    const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < kRounds; ++i) {
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<uint32_t, 8> sum{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < state.size(); ++i) state[i] += sum[i];
}

}  // namespace

std::array<uint8_t, 32> sha256(std::string_view bytes) {
  std::string padded(bytes);
  padded += '\x80';
  while (padded.size() % kBlock != kBlock - 8) padded += '\0';
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) padded += static_cast<char>(bits >> shift);

  std::array<uint32_t, 8> state = initial_state();
  for (size_t at = 0; at < padded.size(); at += kBlock)
    add_block(state, reinterpret_cast<const unsigned char*>(padded.data()) + at);
  std::array<uint8_t, 32> digest{};
  for (size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j)
      out += i + j > bytes.size() ? '=' : kDigits[group >> (18 - 6 * j) & 63];
  }
  return out;
}

std::string csp_hash(std::string_view text) {
  const auto digest = sha256(text);
  return "'sha256-" + base64({reinterpret_cast<const char*>(digest.data()), digest.size()}) + "'";
}

}  // namespace air
