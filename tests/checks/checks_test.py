"""The checks can fail: each is shown a tree with one breach."""

import pathlib
import tempfile
import unittest

import layers
import sizes

CMAKE = """
rls_module(base SOURCES a.cc LINKS absl::strings)
rls_module(limit SOURCES a.cc)
rls_module(store SOURCES a.cc DEPS limit)
rls_module(limiter SOURCES a.cc DEPS store)
"""


class TreeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("server/CMakeLists.txt", CMAKE)
        for module in ("base", "limit", "store", "limiter"):
            self.write(f"server/{module}/a.cc", "\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def assert_breach(self, breaches, text):
        self.assertTrue(any(text in breach for breach in breaches), breaches)


class LayersTest(TreeTest):
    def test_a_tree_in_order_has_no_breach(self):
        self.write("server/limiter/a.cc", '#include "limit/policy.h"\n')
        self.assertEqual(layers.check(self.root), [])

    def test_including_upwards_is_a_breach(self):
        self.write("server/limit/a.cc", '\n#include "store/x.h"\n')
        self.assert_breach(layers.check(self.root), "server/limit/a.cc:2")

    def test_including_what_deps_do_not_name_is_a_breach(self):
        self.write("server/limiter/a.cc", '#include "base/log.h"\n')
        self.assert_breach(layers.check(self.root), "may not include base/log.h")

    def test_a_dependency_of_no_lower_rank_is_a_breach(self):
        self.write("server/CMakeLists.txt",
                   CMAKE.replace("(limit SOURCES a.cc", "(limit DEPS store"))
        self.assert_breach(layers.check(self.root), "limit depends on store")

    def test_a_library_outside_its_home_is_a_breach(self):
        self.write("server/limit/a.cc", "#include <yaml-cpp/yaml.h>\n")
        self.assert_breach(layers.check(self.root), "belongs to config")

    def test_a_folder_that_is_no_module_is_a_breach(self):
        self.write("server/stray/a.cc", "\n")
        self.assert_breach(layers.check(self.root), "server/stray")


class SizesTest(TreeTest):
    def test_small_files_have_no_breach(self):
        self.assertEqual(sizes.check(self.root), [])

    def test_a_long_header_is_a_breach(self):
        self.write("server/base/long.h", "//\n" * 151)
        self.assert_breach(sizes.check(self.root), "151 lines, at most 150")

    def test_a_long_line_is_a_breach(self):
        self.write("server/base/wide.cc", "//" + "x" * 79 + "\n")
        self.assert_breach(sizes.check(self.root), "wide.cc:1: 81 columns")

    def test_a_long_function_is_a_breach(self):
        body = "  f();\n" * 70
        self.write("server/base/f.cc", f"int F(int a) {{\n{body}}}\n")
        self.assert_breach(sizes.check(self.root), "a function of 72 lines")


if __name__ == "__main__":
    unittest.main()
