# `cmake --install` and, by `cpack` in the build directory, a Debian package.

include(GNUInstallDirs)
install(TARGETS shoebox RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES etc/shoebox.yaml DESTINATION /etc/shoebox)
install(FILES systemd/shoebox.service systemd/shoebox.socket DESTINATION /lib/systemd/system)
install(FILES systemd/shoebox.sysusers DESTINATION /usr/lib/sysusers.d RENAME shoebox.conf)
install(FILES systemd/shoebox.tmpfiles DESTINATION /usr/lib/tmpfiles.d RENAME shoebox.conf)
install(FILES README.md CHANGELOG.md etc/shoebox.rules.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "Shoebox <shoebox@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
    "SFTP server that keeps files in S3-compatible storage and everything about them in PostgreSQL")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Not an older libssh than the one that cmake/libssh_is_safe.cmake looked at.
execute_process(COMMAND dpkg-query -W "-f=\${Version}" libssh-4
                OUTPUT_VARIABLE _libssh ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(_libssh)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libssh-4 (>= ${_libssh})")
endif()
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postgresql, openssh-client")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/cmake/debian/conffiles
                                       ${CMAKE_SOURCE_DIR}/cmake/debian/postinst
                                       ${CMAKE_SOURCE_DIR}/cmake/debian/prerm
                                       ${CMAKE_SOURCE_DIR}/cmake/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
