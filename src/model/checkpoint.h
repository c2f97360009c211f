// The weights of a model folder: one safetensors file, or several listed by an index.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/model_config.h"
#include "model/safetensors.h"

namespace air {

/// What is added to a matrix: scale · b · a.
struct LowRankUpdate {
  at::Tensor a;  ///< [rank, in]
  at::Tensor b;  ///< [out, rank]
  double scale = 1.0;
};

/// All tensors of a folder by name, as an adapter changes them. Tensors are taken one by one;
/// finish() refuses those that nobody took.
class Checkpoint {
 public:
  /// @param describe shapes and dtypes alone are of interest: a tensor that would have to be
  ///   computed is left on the meta device.
  /// @throws Error(kModel) when there are no weights, or the index and its files do not agree.
  /// @param fp8 how weights in FP8 are scaled; none: such weights are an error.
  explicit Checkpoint(const std::filesystem::path& folder, bool describe = false,
                      std::optional<Fp8Blocks> fp8 = std::nullopt);

  bool has(const std::string& name) const {
    return file_of_.contains(name) || replaced_.contains(name);
  }
  /// @throws Error(kModel) naming it when it is missing.
  std::vector<int64_t> shape_of(const std::string& name) const;
  /// The tensor as it lies in the file, floating point; one that is changed, or lies in FP8, in
  /// float32. The view keeps the file open.
  /// @throws Error(kModel) naming it when it is missing, of another shape or not of a
  ///   floating-point type.
  at::Tensor view(const std::string& name, at::IntArrayRef shape);
  /// The same for a tensor of bytes (dtype U8).
  at::Tensor bytes_view(const std::string& name, at::IntArrayRef shape);
  /// The same without what an adapter changes.
  at::Tensor stored_view(const std::string& name, at::IntArrayRef shape);
  /// Whether two matrices of this shape are equal, number by number.
  bool are_equal(const std::string& a, const std::string& b, at::IntArrayRef shape);

  /// From now on the tensor is this one.
  void replace(const std::string& name, const at::Tensor& tensor);
  /// From now on the tensor has this added, in float32.
  void add(const std::string& name, const LowRankUpdate& update);
  bool is_changed(const std::string& name) const {
    return replaced_.contains(name) || updates_.contains(name);
  }
  /// Makes the fingerprint that of the weights with an adapter on them.
  void mark_adapted(const std::string& adapter_fingerprint);

  /// Gives the file's pages of a tensor back: it is not needed soon. Views of it stay valid.
  void release_pages(const std::string& name) const;

  /// Marks tensors as known and not needed: one, all whose names begin or end so.
  void ignore(const std::string& name);
  void ignore_prefix(const std::string& prefix);
  void ignore_suffix(const std::string& suffix);
  /// @throws Error(kModel) naming the tensors that nobody took.
  void finish() const;

  /// Bytes of all tensors by their dtype in the files: {"BF16": 269030016}.
  std::map<std::string, int64_t> bytes_by_dtype() const;
  /// A hash (XXH3, 16 hex digits) of every tensor's name, dtype, shape and samples of its data: the
  /// identity of the model in heads files and manifests, whatever its sharding and its
  /// config.json's style.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// The files that hold the tensors, each once, in the order of their names.
  std::vector<std::shared_ptr<const SafetensorsFile>> files() const;
  /// The index that lists them; none: the only file needs no index.
  std::optional<std::filesystem::path> index() const;

 private:
  at::Tensor checked_view(const std::string& name, at::IntArrayRef shape, bool floating);
  at::Tensor fp8_view(const std::string& name, at::IntArrayRef shape);
  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> file_of_;
  std::map<std::string, at::Tensor> replaced_;
  std::map<std::string, LowRankUpdate> updates_;
  bool describe_;
  std::optional<Fp8Blocks> fp8_;
  std::set<std::string> taken_;
  std::string fingerprint_;
};

}  // namespace air
