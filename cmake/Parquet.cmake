# src/parquet, a library that the program loads when it meets Parquet (docs/decisions/0012): air_parquet_2600.so for pyarrow
# 26.0. It is left out where there is no pyarrow, unless AIR_PARQUET asks for it.
set(AIR_PARQUET AUTO CACHE STRING "Read and write Parquet, by the libraries inside pyarrow: ON, OFF or AUTO (where pyarrow is found)")
set_property(CACHE AIR_PARQUET PROPERTY STRINGS AUTO ON OFF)
set(AIR_HAS_PARQUET OFF)
if(NOT AIR_PARQUET STREQUAL "OFF")
  find_package(PyArrow 26 QUIET)
  set(AIR_HAS_PARQUET ${PyArrow_FOUND})
  if(AIR_PARQUET STREQUAL "AUTO" AND NOT PyArrow_FOUND)
    message(STATUS "Parquet is left out: no pyarrow (PyArrow_ROOT names its folder)")
  elseif(NOT PyArrow_FOUND)
    message(FATAL_ERROR "AIR_PARQUET is on, and there is no pyarrow 26 or newer: pip install pyarrow (PyArrow_ROOT names its folder)")
  endif()
endif()

# Where an installed program looks for the library, and the pyarrow that a program of this build falls back on.
if(SKBUILD)
  set(_library_folder "../lib")
  set(_pyarrow_of_build "")
else()
  file(RELATIVE_PATH _library_folder "/${CMAKE_INSTALL_BINDIR}" "/${AIR_LIBRARY_FOLDER}")
  set(_pyarrow_of_build "${PyArrow_FOLDER}")
endif()
set_source_files_properties("${PROJECT_SOURCE_DIR}/src/base/parquet_library.cpp" PROPERTIES COMPILE_DEFINITIONS
  "AIR_LIBRARY_FOLDER_FROM_PROGRAM=\"${_library_folder}\";AIR_PYARROW_OF_BUILD=\"${_pyarrow_of_build}\"")

# After air_module(parquet … PLUGIN).
function(configure_parquet)
  message(STATUS "Parquet by pyarrow ${PyArrow_VERSION}: ${PyArrow_FOLDER}")
  # Part of the program's own code is in the library too.
  set_target_properties(air_base PROPERTIES POSITION_INDEPENDENT_CODE ON)
  # It is loaded by its full path, after what it needs, so it has no search path; it shows one function.
  set_target_properties(air_parquet PROPERTIES PREFIX "" OUTPUT_NAME "air_parquet_${PyArrow_SO_VERSION}"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    BUILD_WITH_INSTALL_RPATH ON)
  target_link_options(air_parquet PRIVATE "LINKER:--exclude-libs,ALL")
  install(TARGETS air_parquet LIBRARY DESTINATION "${AIR_LIBRARY_FOLDER}")
endfunction()
