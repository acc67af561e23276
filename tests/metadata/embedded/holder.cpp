// Runs a private PostgreSQL server until it is killed: a stand-in for `shoebox quickstart`.
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "metadata/embedded/postgres_process.h"

int main(int, char** arguments) {
  try {
    metadata::EmbeddedPostgres::Options options;
    options.directory = arguments[1];
    options.durable = false;
    metadata::EmbeddedPostgres postgres(options);
    postgres.start();
    std::printf("%d\n", postgres.pid());
    std::fflush(stdout);
    while (true) pause();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
