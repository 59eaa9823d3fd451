# What `cmake --install` puts where, and what other builds find it by.
include(CMakePackageConfigHelpers)

set_target_properties(assay_shared PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS assay_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_BINARY_DIR}/libassay.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/assay DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
if(TARGET assay_command)
  set_target_properties(assay_command PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS assay_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL
        FILES_MATCHING PATTERN "*.1")

# Both descriptions name their files relative to themselves: an installation can be moved.
file(RELATIVE_PATH ASSAY_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" ASSAY_PC_PREFIX ${ASSAY_PC_PREFIX})

# A program that links libassay.a links what the library stands on, too.
get_filename_component(openblas_folder ${OPENBLAS_LIBRARY} DIRECTORY)
set(ASSAY_PRIVATE_LIBRARIES dnnl gomp spng jpeg jansson archive protobuf-c lapacke openblas pthread m)
set(ASSAY_PRIVATE_FOLDER ${openblas_folder})
set(ASSAY_PC_PRIVATE "-L${openblas_folder} -Wl,-rpath,${openblas_folder}")
foreach(l IN LISTS ASSAY_PRIVATE_LIBRARIES)
  string(APPEND ASSAY_PC_PRIVATE " -l${l}")
endforeach()

configure_file(${PROJECT_SOURCE_DIR}/cmake/assay.pc.in ${CMAKE_BINARY_DIR}/assay.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/assay.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/assay)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/assayConfig.cmake.in
  ${CMAKE_BINARY_DIR}/assayConfig.cmake INSTALL_DESTINATION ${config_folder}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/assayConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/assayConfig.cmake ${CMAKE_BINARY_DIR}/assayConfigVersion.cmake
        DESTINATION ${config_folder})
