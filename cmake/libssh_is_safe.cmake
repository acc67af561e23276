# Refuses a libssh without the fixes of the CVE-2026-59847 set: they are in 0.11.5, 0.12.2, and in
# Debian 12's 0.10.6-0+deb12u3, which only the package's version tells apart.

set(_version ${LIBSSH_VERSION})
set(_safe FALSE)
if(_version VERSION_GREATER_EQUAL 0.12.2)
  set(_safe TRUE)
elseif(_version VERSION_GREATER_EQUAL 0.12.0)
  set(_safe FALSE)
elseif(_version VERSION_GREATER_EQUAL 0.11.5)
  set(_safe TRUE)
else()
  find_program(DPKG_PROGRAM dpkg)
  find_program(DPKG_QUERY_PROGRAM dpkg-query)
  if(DPKG_PROGRAM AND DPKG_QUERY_PROGRAM)
    execute_process(COMMAND ${DPKG_QUERY_PROGRAM} -W "-f=\${Version}" libssh-dev
                    OUTPUT_VARIABLE _package ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(COMMAND ${DPKG_PROGRAM} --compare-versions "${_package}" ge 0.10.6-0+deb12u3
                    RESULT_VARIABLE _older)
    if(_package MATCHES "^0\\.10\\.6-.*deb12u" AND _older EQUAL 0)
      set(_safe TRUE)
    endif()
    set(_version "${_version} (package ${_package})")
  endif()
endif()
if(NOT _safe)
  message(FATAL_ERROR
    "libssh ${_version} has known holes (CVE-2026-59847 and its set). Shoebox needs Debian 12's "
    "0.10.6-0+deb12u3 or later, or libssh 0.11.5 or later, or 0.12.2 or later: "
    "update with 'apt-get update && apt-get install libssh-dev libssh-4'.")
endif()
