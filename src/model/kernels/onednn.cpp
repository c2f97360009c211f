#include "model/kernels/onednn.h"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/linear.h>

#include <optional>
#include <string_view>

namespace air {

namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using LinearOperator = at::Tensor(const at::Tensor&, const at::Tensor&,
                                  const std::optional<at::Tensor>&, std::string_view, Scalars,
                                  std::optional<std::string_view>);

/// The operator that torch.compile's CPU code calls; none in a libtorch that was built without
/// oneDNN.
const std::optional<c10::TypedOperatorHandle<LinearOperator>>& linear_operator() {
  static const auto handle = []() -> std::optional<c10::TypedOperatorHandle<LinearOperator>> {
    const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!found || !found->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
    return found->typed<LinearOperator>();
  }();
  return handle;
}

}  // namespace

bool has_onednn() { return linear_operator().has_value(); }

at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  // Rows or columns of the weight must lie together: anything else falls to oneDNN's reference
  // code, thousands of times slower.
  const bool suits = x.dim() == 2 && x.size(0) > 0 && x.is_contiguous() &&
                     (weight.is_contiguous() || weight.t().is_contiguous());
  if (!suits || !has_onednn()) return at::linear(x, weight, bias);
  return linear_operator()->call(x, weight, bias.defined() ? std::optional(bias) : std::nullopt,
                                 "none", Scalars{}, std::nullopt);
}

}  // namespace air
