#include "metadata/dump/dump_reader.h"

#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

// However long whole tables take, and by the plans that suit them, which the session's are not.
constexpr char begin_snapshot[] =
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
    "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL TimeZone = 'UTC'";
// 'SHBX' in ASCII, and which of our locks it is.
constexpr Statement lock_dump{"dump_lock", "SELECT pg_try_advisory_xact_lock(1397244504, 4)"};
constexpr Statement select_accounts{"dump_accounts", "SELECT EXISTS (SELECT FROM accounts)"};
// The first migration made the database what it is.
constexpr Statement select_head{
    "dump_head",
    "SELECT max(name), (SELECT shoebox_micros(applied_at) FROM schema_migrations"
    " ORDER BY name LIMIT 1) FROM schema_migrations"};
// Sequences are in no snapshot: what was given out meanwhile only makes them larger.
constexpr Statement select_sequences{
    "dump_sequences",
    "SELECT c.table_name, coalesce(pg_sequence_last_value(pg_get_serial_sequence("
    " quote_ident(c.table_name), c.column_name)::regclass), 0)"
    " FROM information_schema.columns c"
    " WHERE c.table_schema = current_schema() AND c.table_name = ANY ($1::text[])"
    " AND c.is_identity = 'YES' ORDER BY 1"};

}  // namespace

DumpReader::DumpReader(Transaction& transaction) : transaction_(transaction) {
  transaction_.inner().script(begin_snapshot);
}

bool DumpReader::try_lock() { return transaction_.inner().run(lock_dump)[0][0].as<bool>(); }

bool DumpReader::has_accounts() {
  return transaction_.inner().run(select_accounts)[0][0].as<bool>();
}

DumpHead DumpReader::head() {
  const auto row = transaction_.inner().run(select_head)[0];
  DumpHead head{
      .schema = row[0].as<std::string>(), .database = row[1].as<std::string>(), .sequences = {}};
  for (const auto& sequence :
       transaction_.inner().run(select_sequences, array_of(dumped_tables()))) {
    head.sequences.push_back({sequence[0].as<std::string>(), sequence[1].as<std::int64_t>()});
  }
  return head;
}

void DumpReader::read(const DumpedRows& rows, const TakeRow& take) {
  auto& inner = transaction_.inner();
  const std::string table = rows.table;
  inner.script("DECLARE dump_rows NO SCROLL CURSOR FOR SELECT row_to_json(t) FROM " + table +
               " t WHERE " + rows.condition);
  const std::string fetch = "FETCH " + std::to_string(rows.page_max) + " FROM dump_rows";
  for (auto page = inner.script(fetch); !page.empty(); page = inner.script(fetch)) {
    for (const auto& row : page) take({row[0].c_str(), row[0].size()});
  }
  inner.script("CLOSE dump_rows");
}

}  // namespace metadata
