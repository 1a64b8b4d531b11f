# The headers of the standard library and of Abseil that most sources include.
# Every module and most programs share them as one precompiled header: GCC
# otherwise spends a third of the build on parsing them again. The cost: a source
# that misses one of these includes still compiles. Configure with
# -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON to find it.
file(CONFIGURE OUTPUT empty.cc CONTENT "")
add_library(rls_headers STATIC ${CMAKE_CURRENT_BINARY_DIR}/empty.cc)
target_link_libraries(rls_headers
  PUBLIC rls_options absl::any_invocable absl::flat_hash_map
         absl::inlined_vector absl::statusor absl::strings
         absl::synchronization absl::time)
target_link_libraries(rls_headers PRIVATE rls_hardening)
target_precompile_headers(rls_headers PRIVATE
  <algorithm> <array> <cstdint> <functional> <map> <memory> <optional> <string>
  <utility> <vector>
  <absl/container/flat_hash_map.h> <absl/container/inlined_vector.h>
  <absl/functional/any_invocable.h> <absl/status/statusor.h>
  <absl/strings/str_cat.h> <absl/synchronization/mutex.h> <absl/time/time.h>)
set_target_properties(rls_headers PROPERTIES UNITY_BUILD OFF)

# rls_program(target)
#
# Hardens a program that is installed.
function(rls_program target)
  rls_use_headers(${target})
  target_link_libraries(${target} PRIVATE rls_hardening)
endfunction()

# rls_use_headers(target)
#
# With clang the sources parse these headers themselves: ccache finds nothing in
# another checkout for a source with clang's precompiled header, which holds
# absolute paths.
function(rls_use_headers target)
  target_compile_options(${target}
    PRIVATE $<TARGET_PROPERTY:rls_hardening,INTERFACE_COMPILE_OPTIONS>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_precompile_headers(${target} REUSE_FROM rls_headers)
  endif()
endfunction()

# rls_module(name [SOURCES a.cc...] [DEPS module...] [LINKS target...])
#
# A module is a folder of server/ and a library rls_<name>; in the name of the
# library each slash becomes an underscore. A module without SOURCES has headers
# only. DEPS names the modules whose headers the module may include
# (tests/checks/layers.py checks this). LINKS names third-party targets. They stay
# private to the module, except Abseil: its types appear in our headers.
function(rls_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LINKS" ${ARGN})
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/${name}/)
  list(TRANSFORM arg_DEPS PREPEND rls_)
  list(TRANSFORM arg_DEPS REPLACE "/" "_")
  string(REPLACE "/" "_" name ${name})
  if(NOT arg_SOURCES)
    add_library(rls_${name} INTERFACE)
    target_link_libraries(rls_${name}
      INTERFACE rls_options ${arg_DEPS} ${arg_LINKS})
    return()
  endif()
  set(vocabulary ${arg_LINKS})
  list(FILTER vocabulary INCLUDE REGEX "^absl::")
  list(FILTER arg_LINKS EXCLUDE REGEX "^absl::")
  add_library(rls_${name} STATIC ${arg_SOURCES})
  target_link_libraries(rls_${name}
    PUBLIC rls_options ${arg_DEPS} ${vocabulary} PRIVATE ${arg_LINKS})
  rls_use_headers(rls_${name})
endfunction()

# rls_runs_once(target...)
#
# For code that runs only when a program starts: the release build compiles it
# with -O1. CLI11 instantiates so many templates that -O3 takes 11 s longer per
# source.
function(rls_runs_once)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endforeach()
endfunction()

# rls_test(name SOURCES a.cc... DEPS module... [LINKS target...])
#
# One GoogleTest program; each of its cases is a ctest entry.
function(rls_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LINKS" ${ARGN})
  list(TRANSFORM arg_DEPS PREPEND rls_)
  list(TRANSFORM arg_DEPS REPLACE "/" "_")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name}
    PRIVATE ${arg_DEPS} ${arg_LINKS} rls_test_headers GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM rls_test_headers)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
endfunction()
