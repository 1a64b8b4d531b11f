"""Tests the checks: each test gives a check a small tree with one breach."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import layers
import sizes
import sleeps

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
        self.write("tests/xds_probe/CMakeLists.txt", CLIENT)

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
        self.write("server/limit/a.cc", "#include <hiredis/hiredis.h>\n")
        self.assert_breach(layers.check(self.root), "belongs to store/redis")

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
        self.write("client/a.cc", "#include <hiredis/hiredis.h>\n")
        self.assert_breach(layers.check(self.root), "belongs to store/redis")

    def test_a_test_that_includes_beyond_its_deps_is_a_breach(self):
        self.write("tests/unit/a.cc", '#include "limit/policy.h"\n')
        self.assertEqual(layers.check(self.root), [])
        self.write("tests/unit/a.cc", '#include "unit/fake.h"\n')
        self.write("tests/unit/fake.h", '#include "limiter/limiter.h"\n')
        self.assert_breach(layers.check(self.root), "tests/unit/fake.h:1")

    def test_a_module_below_another_one_is_a_module_of_its_own(self):
        self.write("server/CMakeLists.txt", CMAKE + "rls_module(store/redis "
                   "SOURCES a.cc DEPS store LINKS PkgConfig::hiredis)\n")
        self.write("server/store/redis/a.cc",
                   '#include "store/x.h"\n#include <hiredis/hiredis.h>\n')
        self.assertEqual(layers.check(self.root), [])
        self.write("server/store/a.cc", '#include "store/redis/x.h"\n')
        self.assert_breach(layers.check(self.root), "server/store/a.cc:1")

    def test_a_folder_that_is_no_module_is_a_breach(self):
        self.write("server/stray/a.cc", "\n")
        self.assert_breach(layers.check(self.root), "server/stray")


class SizesTest(TreeTest):
    # One file without a type in each module of the tree that setUp() writes.
    MODULES = {name: (1, 0) for name in ("base", "limit", "store", "limiter")}

    def check(self, **changed):
        return sizes.check(self.root, {**self.MODULES, **changed})

    def test_small_files_have_no_breach(self):
        self.assertEqual(self.check(), [])

    def test_a_long_header_is_a_breach(self):
        self.write("server/base/long.h", "//\n" * 251)
        self.assert_breach(self.check(), "251 lines, at most 250")

    def test_a_long_line_is_a_breach(self):
        self.write("server/base/wide.cc", "//" + "x" * 79 + "\n")
        self.assert_breach(self.check(), "wide.cc:1: 81 columns")

    def assert_too_long(self, signature, end="}"):
        body = "  f();\n" * 70
        self.write("server/base/f.cc", f"{signature} {{\n{body}{end}\n")
        self.assert_breach(self.check(), "f.cc:1: a function of 7")

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
        self.assert_breach(self.check(), "f.h:3: a function of 72")

    def test_a_long_namespace_is_no_function(self):
        body = "int f();\n" * 80
        self.write("server/base/f.h", f"namespace a {{\n{body}}}\n")
        self.assertEqual(self.check(base=(2, 0)), [])

    def test_a_source_of_400_lines_has_no_breach_and_a_longer_one_has(self):
        self.write("server/base/a.cc", "//\n" * 400)
        self.assertEqual(self.check(), [])
        self.write("server/base/a.cc", "//\n" * 401)
        self.assert_breach(self.check(), "a.cc: 401 lines, at most 400")

    def test_one_more_file_in_a_module_is_a_breach(self):
        self.write("server/base/b.h", "\n")
        self.assert_breach(self.check(), "server/base: 2 files, at most 1")

    def test_one_more_type_in_a_module_is_a_breach(self):
        self.write("server/base/a.cc", "struct A {};\n")
        self.assert_breach(self.check(), "server/base: 1 types, at most 0")

    def test_fewer_files_or_types_ask_for_a_lower_number(self):
        self.assert_breach(self.check(base=(2, 0)), "1 files, fewer than 2")
        self.assert_breach(self.check(base=(1, 1)), "0 types, fewer than 1")

    def test_a_module_without_a_number_is_a_breach(self):
        self.write("server/store/redis/a.cc", "\n")
        self.assert_breach(self.check(), "server/store/redis: 1 files")

    def test_a_module_that_is_gone_is_a_breach(self):
        self.assert_breach(self.check(net=(3, 2)), "server/net: 0 files")

    def test_every_kind_of_type_counts(self):
        for text in ("class A {\n};\n", "struct A final : public B<int> {\n};\n",
                     "enum class A { kOne };\n", "union A {\n};\n",
                     "template <typename T>\nclass A {\n};\n",
                     "class ABSL_LOCKABLE A\n    : public B {\n};\n"):
            self.write("server/base/a.cc", text)
            self.assertEqual(sizes.module_sizes(self.root)["base"], (1, 1),
                             text)

    def test_a_name_of_a_type_is_no_definition(self):
        self.write("server/base/a.cc",
                   "class A;\nfriend struct B;\n// class C {\n"
                   "void F(struct D d) {}\nenum E G() { return {}; }\n"
                   'auto text = R"(\nclass H {\n)";\n')
        self.assertEqual(sizes.module_sizes(self.root)["base"], (1, 0))

    def test_the_printed_table_is_the_table(self):
        printed = subprocess.run(
            [sys.executable, sizes.__file__, "--print", self.root],
            capture_output=True, text=True, check=True).stdout
        names = {}
        exec(printed, names)
        self.assertEqual(names["MODULES"], self.MODULES)

    def test_a_wide_line_of_a_document_is_a_breach(self):
        self.write("docs/A.md", "x\n" + "x" * 121 + "\n")
        self.assert_breach(self.check(), "docs/A.md:2: 121 columns")

    def test_tables_code_and_links_may_be_wide(self):
        wide = "x" * 121
        self.write("A.md", f"| {wide} |\n```sh\n{wide}\n```\n[a]({wide})\n"
                   f"[a]: {wide}\nhttps://{wide}\n")
        self.assertEqual(self.check(), [])

    def test_after_a_code_block_lines_are_narrow_again(self):
        self.write("A.md", "```\n```\n" + "x" * 121 + "\n")
        self.assert_breach(self.check(), "A.md:3: 121 columns")

    def test_documents_that_were_built_or_are_hidden_are_not_read(self):
        for folder in ("build", ".git", "build/dev"):
            self.write(f"{folder}/A.md", "x" * 121 + "\n")
        self.assertEqual(self.check(), [])



class SleepsTest(TreeTest):
    def test_waiting_for_a_condition_is_no_breach(self):
        self.write("tests/unit/a.cc", 'WaitUntil("a", [] { return true; });\n')
        self.write("tests/integration/a.py",
                   'let_time_pass(1, "a window")\n')
        self.assertEqual(sleeps.check(self.root), [])

    def test_each_way_to_sleep_is_a_breach(self):
        for name, text in (
                ("a.py", "time.sleep(1)"), ("a.py", "await asyncio.sleep(1)"),
                ("a.cc", "std::this_thread::sleep_for(kLong);"),
                ("a.cc", "absl::SleepFor(kLong);"), ("a.cc", "usleep(1);"),
                ("a.go", "time.Sleep(1)"), ("a.java", "Thread.sleep(1);")):
            self.write(f"tests/unit/{name}", f"\n{text}\n")
            self.assert_breach(sleeps.check(self.root), f"tests/unit/{name}:2")
            (self.root / "tests/unit" / name).unlink()

    def test_the_helpers_may_sleep(self):
        for name in sleeps.HELPERS:
            self.write(name, "time.sleep(1)\n")
        self.assertEqual(sleeps.check(self.root), [])


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
