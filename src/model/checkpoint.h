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

#include "model/safetensors.h"

namespace air {

/// All tensors of a folder by name. Tensors are taken one by one; finish() refuses those that
/// nobody took.
class Checkpoint {
 public:
  /// @throws Error(kModel) when there are no weights, or the index and its files do not agree.
  explicit Checkpoint(const std::filesystem::path& folder);

  bool has(const std::string& name) const { return file_of_.contains(name); }
  /// @throws Error(kModel) naming it when it is missing.
  std::vector<int64_t> shape_of(const std::string& name) const;
  /// The tensor as it lies in the file, floating point. The view keeps the file open.
  /// @throws Error(kModel) naming it when it is missing, of another shape or not of a
  ///   floating-point type.
  at::Tensor view(const std::string& name, at::IntArrayRef shape);
  /// The same for a tensor of bytes (dtype U8).
  at::Tensor bytes_view(const std::string& name, at::IntArrayRef shape);
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

 private:
  at::Tensor checked_view(const std::string& name, at::IntArrayRef shape, bool floating);
  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> file_of_;
  std::set<std::string> taken_;
  std::string fingerprint_;
};

}  // namespace air
