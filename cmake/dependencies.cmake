# What the library stands on; docs/dependencies.md says why each is here.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SPNG REQUIRED IMPORTED_TARGET spng)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)

# ONNX's schema, from which protobuf-c's compiler makes a parser (src/CMakeLists.txt).
find_program(PROTOC_C protoc-c REQUIRED)
find_path(ONNX_PROTO_FOLDER onnx.proto PATH_SUFFIXES onnx REQUIRED)

# oneDNN by its files: the CMake package of Debian's wants OpenCL's headers, which it does not need.
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
# libgomp is what Debian's oneDNN threads with; nn/onednn.c keeps it on the calling thread. Its link
# name lives in gcc's own folder, so the soname is looked for too.
find_library(GOMP_LIBRARY NAMES gomp libgomp.so.1 REQUIRED)

# The serial OpenBLAS: the library does its own chunking (docs/architecture.md, "Determinism").
find_path(OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES
          ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial openblas-serial REQUIRED)
find_library(OPENBLAS_LIBRARY openblas PATH_SUFFIXES
             ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial openblas-serial REQUIRED)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)

add_library(assay_dependencies INTERFACE)
target_include_directories(assay_dependencies INTERFACE ${DNNL_INCLUDE} ${OPENBLAS_INCLUDE})
target_link_libraries(assay_dependencies INTERFACE
  ${DNNL_LIBRARY} PkgConfig::SPNG PkgConfig::JPEG PkgConfig::JANSSON PkgConfig::ARCHIVE
  PkgConfig::PROTOBUF_C ${LAPACKE_LIBRARY} ${OPENBLAS_LIBRARY} ${GOMP_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS} m)
