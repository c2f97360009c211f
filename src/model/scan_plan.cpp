#include "model/scan_plan.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "base/error.h"
#include "model/device.h"

namespace air {

namespace {

int64_t num_chunks(const PackedSequences& sequences, int64_t sequence) {
  return (sequences.length(sequence) + kChunk - 1) / kChunk;
}

/// Undefined where there are none.
at::Tensor indices(const std::vector<int64_t>& values, at::Device device) {
  if (values.empty()) return {};
  const at::Tensor host =
      at::empty({static_cast<int64_t>(values.size())}, at::TensorOptions().dtype(at::kLong));
  std::copy(values.begin(), values.end(), host.data_ptr<int64_t>());
  return upload(host, device);
}

/// The row of the token `back` places before token `index` of a sequence, or N.
int64_t row_before(const PackedSequences& sequences, int64_t sequence, int64_t index,
                   int64_t back) {
  if (index >= back) return sequences.begin(sequence) + index - back;
  const int64_t prefix = sequences.prefix_of(sequence);
  const int64_t in_prefix = sequences.prefix_length(sequence) + index - back;
  return in_prefix >= 0 ? sequences.begin(prefix) + in_prefix : sequences.num_tokens();
}

/// Fills one column of taps, [W, columns].
void set_taps(const at::Tensor& taps, int64_t column, const PackedSequences& sequences,
              int64_t sequence, int64_t index) {
  int64_t* tap = taps.data_ptr<int64_t>() + column;
  for (int64_t back = 0; back < taps.size(0); ++back)
    tap[back * taps.size(1)] = row_before(sequences, sequence, index, back);
}

at::Tensor empty_taps(int64_t width, int64_t columns, const PackedSequences& sequences) {
  return at::empty({width, columns}, at::TensorOptions().dtype(at::kLong))
      .fill_(sequences.num_tokens());
}

/// @param members the longest first   @param kept_index of each sequence; −1: nobody continues it
ScanGroup make_group(const PackedSequences& sequences, const std::vector<int64_t>& members,
                     const std::vector<int64_t>& kept_index, int64_t width, at::Device device) {
  ScanGroup group;
  int64_t chunks = 0;
  for (const int64_t member : members) chunks += num_chunks(sequences, member);
  const at::Tensor taps = empty_taps(width, chunks * kChunk, sequences);
  int64_t column = 0;
  for (int64_t step = 0; step < num_chunks(sequences, members.front()); ++step) {
    int64_t active = 0;
    for (const int64_t member : members) {
      const int64_t length = sequences.length(member);
      if (step * kChunk >= length) break;
      for (int64_t i = step * kChunk; i < std::min(length, (step + 1) * kChunk); ++i)
        set_taps(taps, column + i - step * kChunk, sequences, member, i);
      column += kChunk;
      ++active;
    }
    group.active.push_back(active);
  }
  group.taps = upload(taps, device);
  std::vector<int64_t> start, kept, indices_of_kept;
  for (size_t i = 0; i < members.size(); ++i) {
    const int64_t prefix = sequences.prefix_of(members[i]);
    if (prefix >= 0) start.push_back(kept_index[prefix]);
    if (kept_index[members[i]] < 0) continue;
    kept.push_back(i);
    indices_of_kept.push_back(kept_index[members[i]]);
  }
  group.start = indices(start, device);
  group.kept = indices(kept, device);
  group.kept_index = indices(indices_of_kept, device);
  return group;
}

/// The sequences of a round, group by group, each the longest first.
std::vector<std::vector<int64_t>> group_members(const PackedSequences& sequences, bool continuing,
                                                const ScanShape& shape) {
  std::vector<int64_t> of_round;
  for (int64_t i = 0; i < sequences.size(); ++i)
    if ((sequences.prefix_of(i) >= 0) == continuing) of_round.push_back(i);
  std::stable_sort(of_round.begin(), of_round.end(), [&](int64_t a, int64_t b) {
    return num_chunks(sequences, a) > num_chunks(sequences, b);
  });
  std::vector<std::vector<int64_t>> groups;
  int64_t chunks = 0;
  for (const int64_t sequence : of_round) {
    const bool full = groups.empty() || chunks >= shape.group_chunks ||
                      static_cast<int64_t>(groups.back().size()) >= shape.group_sequences;
    if (full) {
      groups.emplace_back();
      chunks = 0;
    }
    groups.back().push_back(sequence);
    chunks += num_chunks(sequences, sequence);
  }
  return groups;
}

}  // namespace

ScanShape ScanShape::for_device(at::Device device) {
  // On the CPU a piece is one thread's: enough chunks to make an operator's call cheap beside its
  // work, few enough that they stay in its cache and every thread finds some. Elsewhere what is
  // prepared for a segment, and the states of a group, bound the memory.
  if (device.is_cpu())
    return {.group_chunks = 16, .group_sequences = 16, .heads = 1, .segment_chunks = 16};
  return {.group_chunks = 4096, .group_sequences = 64, .heads = 8, .segment_chunks = 128};
}

ScanPlan make_scan_plan(const PackedSequences& sequences, int64_t width, at::Device device,
                        const ScanShape& shape) {
  AIR_CHECK(width >= 1);
  ScanPlan plan{.shape = shape, .num_rows = sequences.num_tokens()};
  std::vector<int64_t> kept_index(sequences.size(), -1);
  for (int64_t i = 0; i < sequences.size(); ++i) {
    const int64_t prefix = sequences.prefix_of(i);
    if (prefix >= 0 && kept_index[prefix] < 0) kept_index[prefix] = plan.num_kept++;
  }
  for (const bool continuing : {false, true}) {
    std::vector<ScanGroup>& groups = plan.rounds.emplace_back();
    for (const std::vector<int64_t>& members : group_members(sequences, continuing, shape))
      groups.push_back(make_group(sequences, members, kept_index, width, device));
  }
  const at::Tensor taps = empty_taps(width, plan.num_rows, sequences);
  for (int64_t i = 0; i < sequences.size(); ++i)
    for (int64_t j = 0; j < sequences.length(i); ++j)
      set_taps(taps, sequences.begin(i) + j, sequences, i, j);
  plan.taps = upload(taps, device);
  return plan;
}

}  // namespace air
