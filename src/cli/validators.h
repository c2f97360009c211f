// Ranges of numbers, checked while flags are read: the message names the flag.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <string>

namespace air {

/// Accepts the numbers for which `holds`; of others the message says "must be RANGE".
inline CLI::Validator number_that(const std::string& range, std::function<bool(double)> holds) {
  return CLI::Validator(
      [range, holds = std::move(holds)](std::string& text) {
        double number = 0;
        const char* end = text.data() + text.size();
        const auto result = std::from_chars(text.data(), end, number);
        const bool is_number = result.ec == std::errc() && result.ptr == end;
        return is_number && holds(number) ? std::string() : "must be " + range;
      },
      "");
}

inline CLI::Validator at_least(int64_t least) {
  return number_that(std::to_string(least) + " or more",
                     [least](double x) { return x >= static_cast<double>(least); });
}

inline CLI::Validator from_to(int64_t least, int64_t most) {
  return number_that("from " + std::to_string(least) + " to " + std::to_string(most),
                     [least, most](double x) {
                       return x >= static_cast<double>(least) && x <= static_cast<double>(most);
                     });
}

inline CLI::Validator above_zero_up_to(int64_t most) {
  return number_that("above 0 and at most " + std::to_string(most),
                     [most](double x) { return x > 0 && x <= static_cast<double>(most); });
}

}  // namespace air
