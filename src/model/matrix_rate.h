// The yardstick for speed: how fast the machine multiplies matrices of the model's size.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "model/model_config.h"

namespace air {

/// Floating-point operations per second (a multiply-add counts as two) of the product that the MLP
/// is made of: the median of some, about a second in all. On the CPU with 2,048 rows and all
/// threads, on a GPU with 16,384 rows, ten products in a row.
double matrix_product_rate(const ModelConfig& config, c10::Device device, c10::ScalarType dtype);

}  // namespace air
