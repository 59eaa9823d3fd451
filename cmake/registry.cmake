# assay_registry(NAME FOLDER): one file = one registered thing.
#
# Every FOLDER/<x>.c defines `const <type> assay_NAME_<x>`; this writes NAME_table.inc with one line
# X(<x>) each, in name order. Dropping a file in suffices; nothing is lost in a static library.
function(assay_registry NAME FOLDER)
  file(GLOB units RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/${FOLDER} CONFIGURE_DEPENDS
       ${CMAKE_CURRENT_SOURCE_DIR}/${FOLDER}/*.c)
  list(FILTER units EXCLUDE REGEX "_test\\.c$")
  list(SORT units)
  set(text "")
  foreach(u IN LISTS units)
    get_filename_component(n ${u} NAME_WE)
    string(APPEND text "X(${n})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${NAME}_table.inc CONTENT "${text}" @ONLY)
endfunction()
