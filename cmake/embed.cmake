# Files as C arrays: cmake -DOUTPUT=out.c -DHEADER=report/web.h -P embed.cmake -- NAME=file...
#
# Each NAME=file becomes `const unsigned char NAME[]` and `const size_t NAME_bytes`, as HEADER
# declares them. No tool but CMake is needed.
set(text "/* Made from the files named below; do not edit. */\n#include \"${HEADER}\"\n")
set(taking FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(arg "${CMAKE_ARGV${i}}")
  if(taking AND arg MATCHES "^([a-z_]+)=(.*)$")
    set(name ${CMAKE_MATCH_1})
    set(path ${CMAKE_MATCH_2})
    file(SIZE ${path} bytes)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    get_filename_component(file ${path} NAME)
    string(APPEND text "\n/* ${file} */\nconst unsigned char ${name}[] = {\n${hex}\n};\n"
                       "const size_t ${name}_bytes = ${bytes};\n")
  elseif(arg STREQUAL "--")
    set(taking TRUE)
  endif()
endforeach()
file(WRITE ${OUTPUT} "${text}")
