"""The rules themselves, on small trees."""

import json
import pathlib
import tempfile
import unittest

import check_tree


class CheckTree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)

    def write(self, path, text):
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_text(text, encoding="utf-8")

    def test_arrows_go_right_only(self):
        self.write("sftpd/vfs/a.cpp", '#include "metadata/ids.h"\n#include "sftpd/vfs/vfs.h"\n')
        self.assertEqual(list(check_tree.check_arrows(self.top)), [])
        self.write("sftpd/vfs/a.cpp", '#include "sftpd/sftp/attrs.h"\n')
        self.assertIn("may not know sftpd/sftp", list(check_tree.check_arrows(self.top))[0])

    def test_the_libraries_know_neither_the_server_nor_each_other(self):
        self.write("metadata/a.h", '#include "storage/error.h"\n')
        self.write("storage/a.h", '#include "sftpd/byte_stream.h"\n#include "sftpd/log/log.h"\n')
        self.assertEqual(len(list(check_tree.check_arrows(self.top))), 2)

    def test_only_the_composition_root_includes_config(self):
        self.write("sftpd/main.cpp", '#include "sftpd/config/settings.h"\n')
        self.assertEqual(list(check_tree.check_arrows(self.top)), [])
        self.write("sftpd/admin/a.cpp", '#include "sftpd/config/settings.h"\n')
        self.assertEqual(len(list(check_tree.check_arrows(self.top))), 1)

    def test_libraries_stop_where_the_table_says(self):
        self.write("sftpd/ssh/a.cpp", "#include <libssh/server.h>\n")
        self.assertEqual(list(check_tree.check_libraries(self.top)), [])
        self.write("sftpd/ssh/a.cpp", "#include <libssh/sftp.h>\n")
        self.write("sftpd/sftp/a.cpp", "#include <libssh/libssh.h>\n")
        self.write("storage/s3/a.cpp", "#include <curl/curl.h>\n")
        self.assertEqual(len(list(check_tree.check_libraries(self.top))), 3)

    def test_each_room_has_a_short_readme(self):
        self.write("storage/s3/a.cpp", "")
        self.assertEqual(list(check_tree.check_readmes(self.top)), ["storage/s3: has no README.md"])
        self.write("storage/s3/README.md", "line\n" * 11)
        self.assertIn("longer than", list(check_tree.check_readmes(self.top))[0])

    def test_what_is_not_built_is_found(self):
        self.write("tests/storage/a_test.cpp", "")
        self.write("storage/b.cpp", "")
        self.write("commands.json", json.dumps([{"file": str(self.top / "storage/b.cpp")}]))
        self.assertEqual(
            list(check_tree.check_all_is_built(self.top, self.top / "commands.json")),
            ["tests/storage/a_test.cpp: is not built"])

    def test_promises_name_tests_that_exist(self):
        self.write("tests/end_to_end/test_a.py", "def test_one(raw):\n    pass\n")
        self.write("docs/semantics.md", "| Promise | Test |\n|---|---|\n| it | `test_a.py::test_one` |\n")
        self.assertEqual(list(check_tree.check_promises_have_tests(self.top)), [])
        self.write("docs/semantics.md", "| it | `test_two` |\n| it | `test_b.py` |\n| it | soon |\n")
        self.assertEqual(len(list(check_tree.check_promises_have_tests(self.top))), 3)

    def test_what_was_left_open_is_found(self):
        self.write("storage/b.cpp", "// TO" + "DO: later\n")
        self.assertEqual(len(list(check_tree.check_nothing_is_left_open(self.top))), 1)


if __name__ == "__main__":
    unittest.main()
