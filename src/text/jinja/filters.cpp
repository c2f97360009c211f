#include "text/jinja/filter_support.h"

namespace air::jinja {

namespace {

template <const char* kName>
Value not_known(Runtime&, const Value&, const Arguments&) {
  throw RenderError(std::string("air does not know jinja2's filter '") + kName + "'");
}
constexpr char kFileSize[] = "filesizeformat", kPprint[] = "pprint", kRandom[] = "random",
               kStripTags[] = "striptags", kUrlEncode[] = "urlencode", kUrlize[] = "urlize",
               kWordWrap[] = "wordwrap", kXmlAttr[] = "xmlattr", kForceEscape[] = "forceescape";

}  // namespace

const Filter* find_filter(std::string_view name) {
  static const FilterTable kFilters = [] {
    FilterTable table{
        {"filesizeformat", {not_known<kFileSize>}}, {"forceescape", {not_known<kForceEscape>}},
        {"pprint", {not_known<kPprint>}},           {"random", {not_known<kRandom>}},
        {"striptags", {not_known<kStripTags>}},     {"urlencode", {not_known<kUrlEncode>}},
        {"urlize", {not_known<kUrlize>}},           {"wordwrap", {not_known<kWordWrap>}},
        {"xmlattr", {not_known<kXmlAttr>}},
    };
    add_text_filters(table);
    add_number_filters(table);
    add_collection_filters(table);
    add_choosing_filters(table);
    return table;
  }();
  const auto it = kFilters.find(name);
  return it == kFilters.end() ? nullptr : &it->second;
}

}  // namespace air::jinja
