# What AIR_BUNDLE changes: an installed air then needs no library of the system but the C and C++ runtimes, beside torch.
# bundle(TARGET NAME): TARGET is linked as the archive libNAME.a, where the system has it; else its shared library is installed
# beside the program. Only the linking differs, so the compiler's cache serves both kinds of build.

# The name under which the dynamic loader looks for a shared library.
function(shared_object_name library result)
  execute_process(COMMAND "${CMAKE_READELF}" -d "${library}" OUTPUT_VARIABLE section COMMAND_ERROR_IS_FATAL ANY)
  if(NOT section MATCHES "\\(SONAME\\)[^[]*\\[([^]]+)\\]")
    message(FATAL_ERROR "${library} has no SONAME")
  endif()
  set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

function(link_archive target archive)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${archive}")
  else()
    foreach(property IN ITEMS IMPORTED_LOCATION IMPORTED_LOCATION_RELEASE)
      set_target_properties(${target} PROPERTIES ${property} "${archive}")
    endforeach()
  endif()
endfunction()

# Debian's archive of ICU's data has 31 MB: locales, conversions and the rest. The tables of characters and of NFC are
# code in libicuuc; all that air reads beside them is nfkc.nrm (docs/decisions/0010). `result` is an archive with that alone.
function(make_icu_data result)
  find_library(AIR_ICU_DATA_ARCHIVE libicudata.a REQUIRED)
  find_program(AIR_ICUPKG icupkg HINTS /usr/sbin REQUIRED)
  find_program(AIR_GENCCODE genccode HINTS /usr/sbin REQUIRED)
  set(folder "${PROJECT_BINARY_DIR}/icu")
  set(archive "${folder}/libicudata.a")
  set(${result} "${archive}" PARENT_SCOPE)
  if("${archive}" IS_NEWER_THAN "${AIR_ICU_DATA_ARCHIVE}" AND EXISTS "${archive}")
    return()
  endif()
  file(REMOVE_RECURSE "${folder}")
  file(MAKE_DIRECTORY "${folder}/all")
  execute_process(COMMAND "${CMAKE_AR}" t "${AIR_ICU_DATA_ARCHIVE}" OUTPUT_VARIABLE members COMMAND_ERROR_IS_FATAL ANY)
  if(NOT members MATCHES "(icudt[0-9]+)l_dat\\.o")
    message(FATAL_ERROR "${AIR_ICU_DATA_ARCHIVE} has no icudt…l_dat.o")
  endif()
  set(name "${CMAKE_MATCH_1}")
  set(all "all/${name}l.dat")
  execute_process(COMMAND "${CMAKE_AR}" x "${AIR_ICU_DATA_ARCHIVE}" WORKING_DIRECTORY "${folder}/all" COMMAND_ERROR_IS_FATAL ANY)
  foreach(command IN ITEMS
      "${CMAKE_OBJCOPY} -O binary -j .rodata all/${name}l_dat.o ${all}"
      "${AIR_ICUPKG} -x nfkc.nrm ${all}"
      "${AIR_ICUPKG} -tl -a nfkc.nrm new ${name}l.dat"
      "${AIR_GENCCODE} -q -o -m all/${name}l_dat.o -e ${name} ${name}l.dat"
      "${CMAKE_OBJCOPY} --add-section .note.GNU-stack=/dev/null ${name}l_dat.o"  # else the program's stack is executable
      "${CMAKE_AR} rcs libicudata.a ${name}l_dat.o")
    separate_arguments(words UNIX_COMMAND "${command}")
    execute_process(COMMAND ${words} WORKING_DIRECTORY "${folder}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  file(REMOVE_RECURSE "${folder}/all")
endfunction()

function(bundle target name)
  find_library(AIR_${name}_ARCHIVE lib${name}.a)
  mark_as_advanced(AIR_${name}_ARCHIVE)
  if(AIR_${name}_ARCHIVE)
    link_archive(${target} "${AIR_${name}_ARCHIVE}")
    message(STATUS "bundled: ${AIR_${name}_ARCHIVE}")
  else()
    find_library(AIR_${name}_LIBRARY ${name} REQUIRED)
    mark_as_advanced(AIR_${name}_LIBRARY)
    file(REAL_PATH "${AIR_${name}_LIBRARY}" library)
    shared_object_name("${library}" soname)
    install(FILES "${library}" DESTINATION "${AIR_LIBRARY_FOLDER}" RENAME "${soname}"
      PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
    message(STATUS "bundled: ${library} as ${soname}")
  endif()
endfunction()

# What is passed on must carry its licence. Debian keeps them by package.
function(install_notices)
  foreach(package IN LISTS ARGN)
    set(notice "/usr/share/doc/${package}/copyright")
    if(EXISTS "${notice}")
      install(FILES "${notice}" DESTINATION "${AIR_LICENSE_FOLDER}" RENAME "${package}.txt")
    else()
      message(WARNING "no ${notice}: its licence must be passed on with the program")
    endif()
  endforeach()
endfunction()

# Sets AIR_SPDLOG too: Debian has no archive of spdlog, and its shared library needs a newer libstdc++ than all the rest.
function(bundle_libraries)
  set(AIR_SPDLOG spdlog::spdlog_header_only PARENT_SCOPE)
  bundle(ZLIB::ZLIB z)
  bundle(PkgConfig::zstd zstd)
  bundle(PkgConfig::pcre2 pcre2-8)
  bundle(sentencepiece::sentencepiece sentencepiece)
  bundle(PkgConfig::hwy hwy)
  bundle(PkgConfig::xxhash xxhash)
  bundle(fmt::fmt fmt)
  bundle(ICU::uc icuuc)
  make_icu_data(data)
  set_target_properties(ICU::uc PROPERTIES INTERFACE_LINK_LIBRARIES "${data}")
  install_notices(zlib1g-dev libzstd-dev libpcre2-dev libsentencepiece-dev libhwy-dev libxxhash-dev libspdlog-dev libfmt-dev
    libicu-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev rapidjson-dev)
endfunction()

# What the target must not need of the C++ runtime: see older_libstdcxx.cpp.
function(avoid_new_symbols target)
  target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/older_libstdcxx.cpp")
  target_link_options(${target} PRIVATE
    "LINKER:--wrap=_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE")
endfunction()
