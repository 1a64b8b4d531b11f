"""Reads the table: tests/behaviour/table/*.yaml. README.md describes its form.
"""

import collections
import pathlib
import re

import yaml

import wire

TABLE = pathlib.Path(__file__).parent / "table"
LENGTHS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400,
             "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
UNLIMITED = 2**32 - 1

Descriptor = collections.namedtuple("Descriptor",
                                    "entries limit hits negative")
Expected = collections.namedtuple("Expected", "code remaining limit name reset")

ASK = re.compile(r"(?P<entries>.*?)"
                 r"( \[(?P<requests>\d+)/(?P<unit>\w+)\])?"
                 r"( \+(?P<hits>\d+))?", re.S)
EXPECTED = re.compile(
    r"(?P<code>OK|OVER) ((?P<nothing>no limit)|(?P<unlimited>unlimited)|"
    r"(?P<remaining>\d+) of (?P<requests>\d+)/(?P<unit>\w+)"
    r"( named (?P<name>.+?))?( reset (?P<reset>\d+|any))?)")

CASE_KEYS = {"name", "rules", "file", "accounting", "domain", "env", "steps",
             "refused", "ends", "says", "line", "filename", "more"}
STEP_KEYS = {"ask", "domain", "hits", "times", "expect", "overall", "headers",
             "metadata", "body", "raw", "error", "says", "json", "status",
             "answer", "pass", "set", "get", "method", "compression", "health",
             "health_list", "copies", "reload", "bad_file", "together", "passes"}
FILE_KEYS = {"about", "env", "rules", "accounting", "cases"}


def repeat(text):
    """The text, but 1024 times "a" for aX1024."""
    match = re.fullmatch(r"(.)X(\d+)", text)
    return match[1] * int(match[2]) if match else text


def check_keys(where, found, known):
    if unknown := set(found) - known:
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}")


def unit_number(text):
    return int(text) if text.isdigit() else wire.UNITS[text]


def read_descriptor(ask):
    """A descriptor from 'key=value,key=value [5/hour] +7' or from a map."""
    if isinstance(ask, dict):
        check_keys(ask, ask, {"entries", "limit", "hits", "negative", "repeat"})
        limit = None
        if "limit" in ask:
            requests, unit = ask["limit"].split("/")
            limit = int(requests), unit_number(unit)
        entries = [tuple(repeat(str(text)) for text in entry)
                   for entry in ask.get("entries", [])]
        return Descriptor(entries * ask.get("repeat", 1), limit,
                          ask.get("hits"), ask.get("negative", False))
    match = ASK.fullmatch(ask)
    entries = [tuple(entry.split("=", 1))
               for entry in match["entries"].split(",") if entry]
    limit = (int(match["requests"]), unit_number(match["unit"])) \
        if match["unit"] else None
    return Descriptor(entries, limit,
                      int(match["hits"]) if match["hits"] else None, False)


def read_expected(text):
    match = EXPECTED.fullmatch(text)
    if not match:
        raise ValueError(f"expected status: {text!r}")
    if match["nothing"]:
        return Expected(match["code"], 0, None, "", None)
    if match["unlimited"]:
        return Expected(match["code"], UNLIMITED, None, "", None)
    return Expected(match["code"], int(match["remaining"]),
                    (int(match["requests"]), match["unit"]),
                    match["name"] or "", match["reset"])


def as_list(value):
    return value if isinstance(value, list) else [value]


class Step:
    """One step of a case: a call with its answer, or time that passes."""

    def __init__(self, where, step):
        if isinstance(step, list):
            step = {"ask": step[0], "expect": step[1]}
        check_keys(where, step, STEP_KEYS)
        self.raw_step = step
        self.descriptors = [read_descriptor(ask)
                            for ask in self.copies("ask")]
        self.expected = [read_expected(text)
                         for text in self.copies("expect")]
        self.times = step.get("times", 1)

    def copies(self, key):
        """The items, `copies` times, with the number of the copy for COPY."""
        items = as_list(self.raw_step.get(key, []))
        if "copies" not in self.raw_step:
            return items
        return [item.replace("COPY", str(copy))
                for copy in range(self.raw_step["copies"]) for item in items]

    def get(self, key, default=None):
        return self.raw_step.get(key, default)

    @property
    def overall(self):
        refused = any(item.code == "OVER" for item in self.expected)
        return self.get("overall", "OVER" if refused else "OK")


class Case:
    """One row of the table."""

    def __init__(self, topic, shared, case, number):
        self.name = case["name"]
        self.topic = topic
        check_keys(self.where, case, CASE_KEYS)
        self.env = {**shared.get("env", {}), **case.get("env", {})}
        self.refused = case.get("refused", False)
        self.ends, self.says = case.get("ends"), case.get("says")
        self.line = case.get("line")
        self.filename = case.get("filename", "limits.yaml")
        self.more = case.get("more", [])
        self.domain = case.get("domain", f"{topic}{number}")
        self.accounting = case.get("accounting",
                                   shared.get("accounting", "independent"))
        self.text = case.get("file")
        rules = case.get("rules", shared.get("rules"))
        if self.text is None and rules:
            self.text = self.file_of(rules)
        elif self.text is not None:
            self.text = self.text.replace("$DOMAIN", self.domain).replace(
                "$BAD_BYTE", "\udcff")
        self.more = [text.replace("$DOMAIN", self.domain)
                     for text in self.more]
        self.steps = [Step(self.where, step) for step in case.get("steps", [])]
        if not (self.steps or self.refused or self.ends):
            raise ValueError(f"{self.where}: nothing is checked")

    @property
    def where(self):
        return f"{self.topic}: {self.name}"

    def file_of(self, rules):
        return (f"domain: {self.domain}\naccounting: {self.accounting}\n"
                f"descriptors:\n{rules}")

    @property
    def needs_no_store(self):
        return self.refused or self.ends is not None

    def write(self, folder):
        """Writes the files of the case into a folder of its own."""
        folder = folder / self.method
        path = folder / self.filename
        path.parent.mkdir(parents=True)
        # U+DCFF stands for the byte 255.
        path.write_bytes(self.text.encode("utf-8", "surrogateescape"))
        for number, text in enumerate(self.more):
            (folder / f"more{number}.yaml").write_text(text)
        return folder

    @property
    def method(self):
        words = re.sub(r"\W+", "_", self.name).strip("_")
        return f"test_{self.topic}__{words}"


def read_table():
    """All cases. Two cases of one topic must not have one name."""
    cases = {}
    for path in sorted(TABLE.glob("*.yaml")):
        # The C loader is ten times as fast.
        shared = yaml.load(path.read_text(), yaml.CSafeLoader)
        check_keys(path, shared, FILE_KEYS)
        for number, data in enumerate(shared["cases"]):
            case = Case(path.stem, shared, data, number)
            if case.method in cases:
                raise ValueError(f"{case.where}: a second case of this name")
            cases[case.method] = case
    return list(cases.values())
