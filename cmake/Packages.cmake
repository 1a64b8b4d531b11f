# Finds every third-party package. The LINKS of a module's rls_module() line name
# the packages that the module uses.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(ZLIB REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(grpcpp REQUIRED IMPORTED_TARGET grpc++)
find_library(RLS_GRPC_REFLECTION grpc++_reflection REQUIRED)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(nghttp2 REQUIRED IMPORTED_TARGET libnghttp2>=1.52)
pkg_check_modules(libcurl REQUIRED IMPORTED_TARGET libcurl>=7.87)
find_package(nlohmann_json REQUIRED)
find_package(Boost 1.74 REQUIRED CONFIG)  # headers only
if(RLS_BUILD_TESTS)
  pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(RLS_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()

# yaml-cpp 0.7 names its target without a namespace.
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
