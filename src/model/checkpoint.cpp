#include "model/checkpoint.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/repeat_interleave.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "model/model_source.h"

namespace air {

namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr size_t kSample = 4096;  // bytes hashed at the start, middle and end of a tensor

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

using Files = std::map<std::string, std::shared_ptr<const SafetensorsFile>>;

// Sorted by key: an index names many tensors, and Json looks for each from the first.
using Index = nlohmann::json;

Index read_index(const std::filesystem::path& path) {
  const std::string text = read_model_file(path);
  check_json_depth(text, path.string(), ErrorKind::kModel);
  try {
    return Index::parse(text);
  } catch (const Index::parse_error& e) {
    throw Error(ErrorKind::kModel, path.string(),
                "not valid JSON at byte " + std::to_string(e.byte));
  }
}

Files open_sharded(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kIndex;
  const Index index = read_index(path);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    throw Error(ErrorKind::kModel, path.string(), "no object \"weight_map\"");
  Files by_file, by_tensor;
  for (const auto& [tensor, value] : index["weight_map"].items()) {
    if (!value.is_string())
      throw Error(ErrorKind::kModel, path.string(), "weight_map." + tensor + " is not a file name");
    const std::string file = value.get<std::string>();
    // A name that leads out of the folder would read files that the user did not name.
    if (file.empty() || file.find('/') != std::string::npos || file == "." || file == "..")
      throw Error(ErrorKind::kModel, path.string(),
                  "\"" + file + "\" is not a file name in this folder");
    auto& opened = by_file[file];
    if (!opened) opened = std::make_shared<const SafetensorsFile>(folder / file);
    if (!opened->entries().contains(tensor))
      throw Error(ErrorKind::kModel, (folder / file).string(),
                  "no tensor \"" + tensor + "\", which the index promises");
    by_tensor[tensor] = opened;
  }
  for (const auto& [file, opened] : by_file)
    for (const auto& [name, entry] : opened->entries())
      if (by_tensor[name] != opened)
        throw Error(ErrorKind::kModel, (folder / file).string(),
                    "tensor \"" + name + "\" is not in the index for this file");
  return by_tensor;
}

Files open_weights(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::kModel, folder.string(), "not a folder",
                "--model takes the folder of a Hugging Face model");
  if (std::filesystem::exists(folder / kSingle)) {
    auto file = std::make_shared<const SafetensorsFile>(folder / kSingle);
    Files by_tensor;
    for (const auto& [name, entry] : file->entries()) by_tensor[name] = file;
    return by_tensor;
  }
  if (std::filesystem::exists(folder / kIndex)) return open_sharded(folder);
  throw_no_weights(folder);
}

/// Multiplies each block of the matrices [..., rows, columns] by its factor.
void scale_fp8(const at::Tensor& wide, const at::Tensor& scales, const Fp8Blocks& blocks) {
  if (blocks.rows == 0) {
    wide.mul_(scales);
    return;
  }
  if (wide.dim() > 2) {
    for (int64_t i = 0; i < wide.size(0); ++i) scale_fp8(wide[i], scales[i], blocks);
    return;
  }
  for (int64_t block = 0; block < scales.size(0); ++block) {
    const int64_t begin = block * blocks.rows;
    const at::Tensor of_columns =
        at::repeat_interleave(scales[block], blocks.columns).narrow(0, 0, wide.size(1));
    wide.narrow(0, begin, std::min(blocks.rows, wide.size(0) - begin)).mul_(of_columns);
  }
}

std::string fingerprint_of(const Files& tensors) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  const auto add = [&](std::string_view bytes) {
    XXH3_64bits_update(state, bytes.data(), bytes.size());
  };
  for (const auto& [name, file] : tensors) {
    const auto& entry = file->entries().at(name);
    const std::string_view data = file->bytes(name);
    add(name + "\n" + entry.dtype + "\n" + shape_text(entry.shape) + "\n");
    add(data.substr(0, kSample));
    add(data.substr(data.size() / 2, kSample));
    add(data.substr(data.size() - std::min(data.size(), kSample)));
  }
  const XXH64_hash_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hex16(hash);
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder, bool describe,
                       std::optional<Fp8Blocks> fp8)
    : folder_(folder),
      file_of_(open_weights(folder)),
      describe_(describe),
      fp8_(fp8),
      fingerprint_(fingerprint_of(file_of_)) {}

at::Tensor Checkpoint::checked_view(const std::string& name, at::IntArrayRef shape, bool floating) {
  const auto it = file_of_.find(name);
  if (it == file_of_.end())
    throw Error(ErrorKind::kModel, folder_.string(),
                "tensor \"" + name + "\" of shape " + shape_text(shape) + " is missing");
  const std::shared_ptr<const SafetensorsFile> file = it->second;
  const auto& entry = file->entries().at(name);
  if (at::IntArrayRef(entry.shape) != shape)
    throw Error(ErrorKind::kModel, file->path().string(),
                "tensor \"" + name + "\" has shape " + shape_text(entry.shape) +
                    ", config.json asks for " + shape_text(shape));
  const at::Tensor mapped = file->tensor(name);
  if (mapped.is_floating_point() != floating)
    throw Error(ErrorKind::kModel, file->path().string(),
                "tensor \"" + name + "\" has dtype " + entry.dtype + ", " +
                    (floating ? "a floating-point type" : "U8") + " is expected",
                floating ? "quantised weights must be dequantised first" : "");
  taken_.insert(name);
  return at::from_blob(
      mapped.data_ptr(), entry.shape, [file, mapped](void*) {},
      at::TensorOptions().dtype(mapped.scalar_type()));
}

std::vector<int64_t> Checkpoint::shape_of(const std::string& name) const {
  const auto it = file_of_.find(name);
  if (it == file_of_.end())
    throw Error(ErrorKind::kModel, folder_.string(), "tensor \"" + name + "\" is missing");
  return it->second->entries().at(name).shape;
}

std::vector<std::shared_ptr<const SafetensorsFile>> Checkpoint::files() const {
  std::map<std::filesystem::path, std::shared_ptr<const SafetensorsFile>> by_path;
  for (const auto& [name, file] : file_of_) by_path.emplace(file->path(), file);
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  for (const auto& [path, file] : by_path) files.push_back(file);
  return files;
}

std::optional<std::filesystem::path> Checkpoint::index() const {
  if (std::filesystem::exists(folder_ / kSingle)) return std::nullopt;
  return folder_ / kIndex;
}

at::Tensor Checkpoint::stored_view(const std::string& name, at::IntArrayRef shape) {
  const auto it = file_of_.find(name);
  const bool is_fp8 =
      it != file_of_.end() && it->second->entries().at(name).dtype.starts_with("F8_");
  return is_fp8 ? fp8_view(name, shape) : checked_view(name, shape, true);
}

at::Tensor Checkpoint::fp8_view(const std::string& name, at::IntArrayRef shape) {
  if (!fp8_ || shape.size() < 2)
    throw Error(
        ErrorKind::kModel, file_of_.at(name)->path().string(),
        "tensor \"" + name + "\" lies in FP8, and config.json does not say how it is scaled",
        "a quantization_config of the method fp8 is expected");
  const at::Tensor packed = checked_view(name, shape, true);
  const auto blocks_of = [](int64_t size, int64_t block) { return (size + block - 1) / block; };
  const std::string scale_name = name + "_scale_inv";
  std::vector<int64_t> scale_shape;
  if (fp8_->rows > 0) {
    scale_shape.assign(shape.begin(), shape.end());
    scale_shape.end()[-2] = blocks_of(shape.end()[-2], fp8_->rows);
    scale_shape.end()[-1] = blocks_of(shape.end()[-1], fp8_->columns);
  } else if (has(scale_name)) {
    // One factor, as a number or as a list of one.
    const auto& found = file_of_.at(scale_name)->entries().at(scale_name).shape;
    if (found.size() == 1) scale_shape = {1};
  }
  const at::Tensor scales = checked_view(scale_name, scale_shape, true);
  if (describe_) return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  const at::Tensor wide = packed.to(at::kFloat);
  release_pages(name);
  scale_fp8(wide, scales.to(at::kFloat), *fp8_);
  return wide;
}

at::Tensor Checkpoint::view(const std::string& name, at::IntArrayRef shape) {
  const auto replaced = replaced_.find(name);
  const auto update = updates_.find(name);
  at::Tensor tensor;
  if (replaced == replaced_.end()) {
    tensor = stored_view(name, shape);
  } else {
    tensor = replaced->second;
    taken_.insert(name);
    if (tensor.sizes() != shape)
      throw Error(ErrorKind::kModel, folder_.string(),
                  "the adapter's \"" + name + "\" has shape " + shape_text(tensor.sizes()) +
                      ", config.json asks for " + shape_text(shape));
  }
  if (update == updates_.end()) return tensor;
  const LowRankUpdate& low_rank = update->second;
  const std::array<int64_t, 2> product = {low_rank.b.size(0), low_rank.a.size(1)};
  if (tensor.sizes() != at::IntArrayRef(product))
    throw Error(ErrorKind::kModel, folder_.string(),
                "tensor \"" + name + "\" has shape " + shape_text(shape) +
                    ", the adapter adds a matrix of " + shape_text(product));
  if (describe_) return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  at::Tensor sum = tensor.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  at::addmm_out(sum, sum, low_rank.b.to(at::kFloat), low_rank.a.to(at::kFloat), 1.0,
                low_rank.scale);
  release_pages(name);
  return sum;
}

bool Checkpoint::are_equal(const std::string& a, const std::string& b, at::IntArrayRef shape) {
  const at::Tensor left = view(a, shape), right = view(b, shape);
  // In blocks: the first that differs ends it, and no copy is large.
  constexpr int64_t kRows = 1024;
  for (int64_t begin = 0; begin < shape[0]; begin += kRows) {
    const int64_t rows = std::min(kRows, shape[0] - begin);
    if (!at::equal(left.narrow(0, begin, rows).to(at::kFloat),
                   right.narrow(0, begin, rows).to(at::kFloat)))
      return false;
  }
  return true;
}

void Checkpoint::replace(const std::string& name, const at::Tensor& tensor) {
  replaced_[name] = tensor;
}

void Checkpoint::add(const std::string& name, const LowRankUpdate& update) {
  updates_[name] = update;
}

void Checkpoint::mark_adapted(const std::string& adapter_fingerprint) {
  const std::string both = fingerprint_ + "+" + adapter_fingerprint;
  fingerprint_ = hex16(XXH3_64bits(both.data(), both.size()));
}

at::Tensor Checkpoint::bytes_view(const std::string& name, at::IntArrayRef shape) {
  return checked_view(name, shape, false);
}

void Checkpoint::release_pages(const std::string& name) const {
  const auto file = file_of_.find(name);
  if (file != file_of_.end()) file->second->release_pages(name);
}

void Checkpoint::ignore(const std::string& name) { taken_.insert(name); }

void Checkpoint::ignore_prefix(const std::string& prefix) {
  for (const auto& [name, file] : file_of_)
    if (name.starts_with(prefix)) taken_.insert(name);
}

void Checkpoint::ignore_suffix(const std::string& suffix) {
  for (const auto& [name, file] : file_of_)
    if (name.ends_with(suffix)) taken_.insert(name);
}

std::map<std::string, int64_t> Checkpoint::bytes_by_dtype() const {
  std::map<std::string, int64_t> bytes;
  for (const auto& [name, file] : file_of_) {
    const auto& entry = file->entries().at(name);
    bytes[entry.dtype] += entry.end - entry.begin;
  }
  return bytes;
}

void Checkpoint::finish() const {
  std::string left;
  int64_t count = 0;
  for (const auto& [name, file] : file_of_) {
    if (taken_.contains(name)) continue;
    if (++count <= 5) left += (left.empty() ? "\"" : ", \"") + name + "\"";
  }
  if (count == 0) return;
  throw Error(ErrorKind::kModel, folder_.string(),
              std::to_string(count) +
                  (count == 1 ? " tensor that this model type does not have: "
                              : " tensors that this model type does not have: ") +
                  left + (count > 5 ? ", …" : ""));
}

}  // namespace air
