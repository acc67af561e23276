#pragma once

#include <string>
#include <vector>

namespace metadata {

/// One numbered step of the schema, compiled into the program.
struct Migration {
  std::string name;    ///< "0001_accounts": the file's name, which orders them
  std::string sha256;  ///< of the text, in hexadecimal digits
  std::string text;
};

/// All of them, ascending. The definition is generated from the .sql files at build time.
const std::vector<Migration>& embedded_migrations();

}  // namespace metadata
