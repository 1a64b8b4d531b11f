# rls_module(name [SOURCES a.cc...] [DEPS module...] [LINKS target...])
#
# A module is a folder of server/ and a library rls_<name>; without SOURCES it
# is headers only. DEPS names the modules whose headers it may include
# (tests/checks/layers.py proves it); LINKS names third-party targets, which
# stay private to the module, except Abseil, which is vocabulary.
function(rls_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LINKS" ${ARGN})
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/${name}/)
  list(TRANSFORM arg_DEPS PREPEND rls_)
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
endfunction()

# rls_test(name SOURCES a.cc... DEPS module... [LINKS target...])
#
# One GoogleTest program; each of its cases is a ctest entry.
function(rls_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LINKS" ${ARGN})
  list(TRANSFORM arg_DEPS PREPEND rls_)
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name}
    PRIVATE ${arg_DEPS} ${arg_LINKS} rls_test_headers GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM rls_test_headers)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
endfunction()
