# A room is a folder that builds into one static library, from every .cpp directly in it and in the
# sub-folders named after FOLDERS.
#   shoebox_room(NAME <target> [FOLDERS <sub-folder>...] LINKS <libraries>...)
function(shoebox_room)
  cmake_parse_arguments(ROOM "" "NAME" "FOLDERS;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(folder IN LISTS ROOM_FOLDERS)
    file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
    list(APPEND sources ${more})
  endforeach()
  list(FILTER sources EXCLUDE REGEX "/sftpd/main\\.cpp$")
  if(NOT sources)
    message(FATAL_ERROR "room ${ROOM_NAME} has no sources")
  endif()
  add_library(${ROOM_NAME} STATIC ${sources})
  target_link_libraries(${ROOM_NAME} PUBLIC shoebox_flags ${ROOM_LINKS})
endfunction()

# One test program for a room: every *_test.cpp in tests/<FOLDER> and below. LABELS select it in
# ctest (unit: no servers; postgres, s3, client: starts real ones).
#   shoebox_tests(NAME <target> FOLDER <folder> [LABELS <label>...] LINKS <libraries>...)
function(shoebox_tests)
  cmake_parse_arguments(TESTS "" "NAME;FOLDER" "LABELS;LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
       ${CMAKE_CURRENT_SOURCE_DIR}/${TESTS_FOLDER}/*_test.cpp)
  add_executable(${TESTS_NAME} ${sources})
  target_link_libraries(${TESTS_NAME} PRIVATE ${TESTS_LINKS} GTest::gmock shoebox_test_main)
  gtest_discover_tests(${TESTS_NAME} DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${TESTS_LABELS}" TIMEOUT 300)
endfunction()
