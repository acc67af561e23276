# Writes OUTPUT, a C++ file with every migration of FOLDER: its name, its SHA-256 and its text.
file(GLOB scripts ${FOLDER}/*.sql)
list(SORT scripts)
set(rows "")
foreach(script IN LISTS scripts)
  get_filename_component(name ${script} NAME_WE)
  file(SHA256 ${script} sha256)
  file(READ ${script} text)
  string(APPEND rows "    {\"${name}\", \"${sha256}\", R\"shoebox(${text})shoebox\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made from metadata/migrations/*.sql by embed.cmake.
#include \"metadata/migrations/embedded.h\"

namespace metadata {

const std::vector<Migration>& embedded_migrations() {
  static const std::vector<Migration> migrations = {
${rows}  };
  return migrations;
}

}  // namespace metadata
")
