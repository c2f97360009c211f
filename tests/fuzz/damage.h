// Ways in which the bytes of a file change: single bits, zeroed blocks, cuts, moved and repeated
// parts, and values that programs stumble over.
#pragma once

#include <string>

#include "base/rng.h"

/// One to four changes of a text at random places.
std::string damaged(std::string text, air::Rng& rng);
