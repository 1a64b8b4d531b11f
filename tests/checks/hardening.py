"""Checks that programs are hardened, as cmake/Toolchain.cmake says.

hardening.py COMPILE_COMMANDS PROGRAM...: prints each lack of a program, and of
the command that compiles a source of server/ or client/. Exits with 1 if there
is one.
"""

import json
import pathlib
import platform
import re
import subprocess
import sys

FLAGS = ["-fPIE", "-fstack-protector-strong", "-fstack-clash-protection",
         "-D_FORTIFY_SOURCE=3"]
if platform.machine() == "x86_64":
    FLAGS.append("-fcf-protection=full")

# The instruction that an indirect jump must land on: endbr64.
LANDING = b"\xf3\x0f\x1e\xfa"
FEWEST_LANDINGS = 1000


def readelf(program, *arguments):
    return subprocess.run(["readelf", "-W", *arguments, program], check=True,
                          capture_output=True, text=True).stdout


def check_program(program):
    header = readelf(program, "-h")
    segments = readelf(program, "-l")
    dynamic = readelf(program, "-d")
    symbols = readelf(program, "--dyn-syms")
    if not re.search(r"Type:\s+DYN", header):
        yield "not position independent"
    if "GNU_RELRO" not in segments:
        yield "no RELRO"
    if not re.search(r"BIND_NOW|FLAGS_1\).*\bNOW\b", dynamic):
        yield "symbols are bound late (no BIND_NOW)"
    stack = re.search(r"GNU_STACK.*?0x\S+ +(?:0x\S+ +)*([RWE ]+?) +0x", segments)
    if stack is None or "E" in stack[1]:
        yield "the stack is executable, or not marked"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        yield "a path to libraries is built in"
    if "__stack_chk_fail" not in symbols:
        yield "no stack protector"
    if not re.search(r"\b__(?!stack)\w+_chk\b", symbols):
        yield "no _FORTIFY_SOURCE"
    if platform.machine() == "x86_64":
        if pathlib.Path(program).read_bytes().count(LANDING) < FEWEST_LANDINGS:
            yield "no landing instructions (-fcf-protection)"


def check_commands(commands):
    found = 0
    for entry in commands:
        if not re.search(r"(?<!/unit)/(server|client)/.*\.cc$", entry["file"]):
            continue
        found += 1
        words = entry["command"].split()
        for flag in FLAGS:
            if flag not in words:
                yield f"{entry['file']}: compiled without {flag}"
    if found == 0:
        yield "no command compiles a source of server/ or client/"


def main():
    commands = json.loads(pathlib.Path(sys.argv[1]).read_text())
    lacks = list(check_commands(commands))
    for program in sys.argv[2:]:
        lacks += [f"{program}: {lack}" for lack in check_program(program)]
    print("\n".join(lacks) or "all programs are hardened")
    sys.exit(1 if lacks else 0)


if __name__ == "__main__":
    main()
