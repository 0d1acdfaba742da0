# chronik_messages(<variable> FOLDER <room> SCHEMA <folder with .msg files> [SOURCES <count>]
#                  [NAMESPACE <namespace>])
# Generates the messages of <folder>/*.msg and <folder>/records/*.msg (language:
# protocol/schema/README.md) into the build directory, and puts the sources to build into <variable>:
#   chronik_messages(generated FOLDER metadata SCHEMA ${CMAKE_CURRENT_SOURCE_DIR}/schema)
#   chronik_room(metadata SOURCES ${generated} DEPENDS chronik_wal)
# The headers are then "metadata/records/<name>.h", the structs in chronik::metadata. A new .msg file is
# found at the next build. NAMESPACE: where it is not the folder's name. SOURCES: over how many translation units the
# codecs are spread.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

function(chronik_messages variable)
  cmake_parse_arguments(ARG "" "FOLDER;NAMESPACE;SCHEMA;SOURCES" "" ${ARGN})
  if(NOT ARG_SOURCES)
    set(ARG_SOURCES 1)
  endif()
  if(NOT ARG_NAMESPACE)
    set(ARG_NAMESPACE ${ARG_FOLDER})
  endif()
  set(out ${CMAKE_BINARY_DIR}/generated)
  file(GLOB apis CONFIGURE_DEPENDS ${ARG_SCHEMA}/*.msg)
  file(GLOB records CONFIGURE_DEPENDS ${ARG_SCHEMA}/records/*.msg)
  file(GLOB generator CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/protocol/generator/*.py)

  set(headers)
  foreach(file ${apis} ${records})
    get_filename_component(stem ${file} NAME_WE)
    file(STRINGS ${file} head REGEX "^(api|record) " LIMIT_COUNT 1)
    if(head MATCHES "^api")
      string(REGEX REPLACE "^[0-9][0-9]+_" "" stem ${stem})
      list(APPEND headers ${out}/${ARG_FOLDER}/messages/${stem}.h)
    else()
      list(APPEND headers ${out}/${ARG_FOLDER}/records/${stem}.h)
    endif()
  endforeach()
  set(sources ${out}/${ARG_FOLDER}/messages_catalog.cc)
  math(EXPR last "${ARG_SOURCES} - 1")
  foreach(number RANGE ${last})
    list(APPEND sources ${out}/${ARG_FOLDER}/messages_${number}.cc)
  endforeach()

  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/protocol/generator/generate.py
            --include ${ARG_FOLDER} --namespace ${ARG_NAMESPACE} --sources ${ARG_SOURCES} --out ${out}
            ${apis} ${records}
    DEPENDS ${apis} ${records} ${generator}
    COMMENT "Generating the messages of ${ARG_FOLDER}"
    VERBATIM)
  set(${variable} ${sources} ${headers} PARENT_SCOPE)
endfunction()
