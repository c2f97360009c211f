// One manifest for the shards of a run.
#pragma once

#include <vector>

#include "base/json.h"

namespace air {

/// What all say stays; counts, tokens and seconds add up; of other values that differ, all stand in
/// a list, in order.
/// @param manifests  objects.   @return null when there is none.
Json joined_manifest(const std::vector<Json>& manifests);

}  // namespace air
