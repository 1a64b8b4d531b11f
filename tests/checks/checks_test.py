"""The checks can fail: each is shown a tree with one breach."""

import pathlib
import subprocess
import sys
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
TESTS = "rls_test(store_test SOURCES unit/a.cc DEPS store)"
CLIENT = "target_link_libraries(ctl PRIVATE rls_base CLI11::CLI11)"


class TreeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("server/CMakeLists.txt", CMAKE)
        for module in ("base", "limit", "store", "limiter"):
            self.write(f"server/{module}/a.cc", "\n")
        self.write("tests/CMakeLists.txt", TESTS)
        self.write("client/CMakeLists.txt", CLIENT)
        self.write("bench/CMakeLists.txt", CLIENT)
        self.write("tests/load/CMakeLists.txt", CLIENT)
        self.write("tests/support/CMakeLists.txt", CLIENT)

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

    def test_main_includes_no_library(self):
        self.write("server/main.cc", "#include <httplib.h>\n")
        self.assert_breach(layers.check(self.root), "server/main.cc:1")

    def test_a_client_in_order_has_no_breach(self):
        self.write("client/a.cc",
                   '#include <CLI/CLI.hpp>\n#include "base/log.h"\n')
        self.assertEqual(layers.check(self.root), [])

    def test_tests_speak_to_redis_in_their_support_only(self):
        self.write("tests/support/a.cc", "#include <hiredis/hiredis.h>\n")
        self.assertEqual(layers.check(self.root), [])
        self.write("tests/unit/a.cc", "#include <hiredis/hiredis.h>\n")
        self.assert_breach(layers.check(self.root), "tests/unit/a.cc:1")

    def test_a_program_that_includes_what_it_does_not_link_is_a_breach(self):
        for folder in ("client", "bench"):
            self.write(f"{folder}/a.cc", '#include "store/x.h"\n')
            self.assert_breach(layers.check(self.root), f"{folder}/a.cc:1")

    def test_a_library_that_the_client_has_no_use_for_is_a_breach(self):
        self.write("client/a.cc", "#include <yaml-cpp/yaml.h>\n")
        self.assert_breach(layers.check(self.root), "belongs to config")

    def test_a_test_that_includes_beyond_its_deps_is_a_breach(self):
        self.write("tests/unit/a.cc", '#include "limit/policy.h"\n')
        self.assertEqual(layers.check(self.root), [])
        self.write("tests/unit/a.cc", '#include "unit/fake.h"\n')
        self.write("tests/unit/fake.h", '#include "limiter/limiter.h"\n')
        self.assert_breach(layers.check(self.root), "tests/unit/fake.h:1")

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

    def assert_too_long(self, signature, end="}"):
        body = "  f();\n" * 70
        self.write("server/base/f.cc", f"{signature} {{\n{body}{end}\n")
        self.assert_breach(sizes.check(self.root), "f.cc:1: a function of 7")

    def test_a_long_function_is_a_breach(self):
        self.assert_too_long("int F(int a)")

    def test_a_long_function_with_a_long_signature_is_a_breach(self):
        self.assert_too_long("int F(int a,\n      int b) const")

    def test_a_long_constructor_is_a_breach(self):
        self.assert_too_long("A::A(int a)\n    : a_(a),\n      b_(a)")

    def test_a_raw_string_does_not_end_a_function(self):
        self.assert_too_long('int F(int a)', '  g(R"(\n}\n)");\n}')

    def test_a_long_method_in_a_class_is_a_breach(self):
        body = "    f();\n" * 70
        self.write("server/base/f.h",
                   f"class A {{\n public:\n  int F() {{\n{body}  }}\n}};\n")
        self.assert_breach(sizes.check(self.root), "f.h:3: a function of 72")

    def test_a_long_namespace_is_no_function(self):
        body = "int f();\n" * 80
        self.write("server/base/f.h", f"namespace a {{\n{body}}}\n")
        self.assertEqual(sizes.check(self.root), [])

    def test_an_exception_larger_than_its_file_is_a_breach(self):
        name = "server/base/long.h"
        self.addCleanup(sizes.EXCEPTIONS.pop, name)
        sizes.EXCEPTIONS[name] = 180
        self.write(name, "//\n" * 180)
        self.assertEqual(sizes.check(self.root), [])
        self.write(name, "//\n" * 179)
        self.assert_breach(sizes.check(self.root), "an exception of 179 lines")

    def test_no_exception_goes_past_the_hard_limit(self):
        name = "server/base/long.h"
        self.addCleanup(sizes.EXCEPTIONS.pop, name)
        sizes.EXCEPTIONS[name] = 251
        self.write(name, "//\n" * 251)
        self.assert_breach(sizes.check(self.root), "251 lines, at most 250")


class FormatTest(TreeTest):
    def test_a_source_of_another_format_is_a_breach(self):
        style = pathlib.Path(__file__).parents[2] / ".clang-format"
        self.write(".clang-format", style.read_text())
        for text, status in (("int a;\n", 0), ("int  a ;\n", 1)):
            self.write("a.cc", text)
            done = subprocess.run(
                [pathlib.Path(sys.executable).parent / "clang-format",
                 "--dry-run", "-Werror", self.root / "a.cc"],
                capture_output=True)
            self.assertEqual(done.returncode, status, done.stderr)


if __name__ == "__main__":
    unittest.main()
