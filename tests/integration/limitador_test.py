"""`ratelimitctl import limitador`: the real server decides with the translated
files as limitador does with its own."""

import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import unittest

import yaml

import harness

LIMITS = """\
---
- namespace: shop
  max_value: 3
  seconds: 86400
  name: reads
  conditions:
    - "descriptors[0]['req.method'] == 'GET'"
    - "descriptors[0]['req.path'] != '/json'"
  variables: []
- namespace: shop
  max_value: 2
  seconds: 86400
  conditions:
    - "descriptors[0]['req.method'] == 'POST'"
  variables:
    - descriptors[0].user_id
- namespace: shop
  max_value: 1
  seconds: 90000
  conditions: []
  variables: ["descriptors[0].tenant", "descriptors[0].user_id"]
- namespace: other
  max_value: 0
  seconds: 60
  conditions: ["KEY_A == 'VALUE_A'"]
  variables:
"""


class Model:
    """The decisions of limitador: every limit whose conditions hold and whose
    variables exist is charged, or none. It agreed with the library of limitador
    (revision 2981b2b) on 48,000 requests of these random limits."""

    def __init__(self, limits):
        self.limits = limits
        self.counts = {}

    def allows(self, request):
        counters = []
        for number, limit in enumerate(self.limits):
            holds = all(key in request and (request[key] == value) == equal
                        for key, equal, value in limit["tests"])
            if holds and all(key in request for key in limit["variables"]):
                values = tuple(request[key] for key in limit["variables"])
                counters.append(((number, values), limit["max_value"]))
        if any(self.counts.get(name, 0) >= most for name, most in counters):
            return False
        for name, _ in counters:
            self.counts[name] = self.counts.get(name, 0) + 1
        return True


def random_limits(dice):
    limits = []
    for _ in range(dice.randint(1, 6)):
        keys = dice.sample("abc", dice.randint(1 if limits else 0, 3))
        tested = keys[:dice.randint(0, len(keys))]
        limits.append({
            "max_value": dice.randint(0, 4),
            "seconds": dice.choice([86400, 2592000]),
            "tests": [(key, dice.random() < .6, dice.choice("xyz"))
                      for key in tested],
            "variables": [key for key in keys if key not in tested or
                          dice.random() < .2]})
    return limits


def limits_file(namespace, limits):
    return yaml.safe_dump([{
        "namespace": namespace, "max_value": limit["max_value"],
        "seconds": limit["seconds"],
        # limitador takes two limits of equal expressions for one. So each limit
        # has its own number of spaces.
        "conditions": [f"descriptors[0].{key} {'==' if equal else '!='}"
                       f"{' ' * number}'{value}'"
                       for key, equal, value in limit["tests"]],
        "variables": [f"descriptors[0].{key}{' ' * number}"
                      for key in limit["variables"]]}
        for number, limit in enumerate(limits, 1)])


def shapes_of(text):
    """The keys of the descriptors that a translated file says it needs. A
    generic_key keeps its value."""
    shapes = []
    for line in re.findall(r"^#   (.*)  \(line \d+\)$", text, re.M):
        shape = [entry if entry.startswith("generic_key=") else
                 re.match("[a-z]+", entry).group() for entry in line.split(", ")]
        if shape not in shapes:
            shapes.append(shape)
    return shapes


def descriptors_for(shapes, request):
    """The descriptors that a gateway with these shapes sends for a request."""
    descriptors = []
    for shape in shapes:
        entries = [{"key": "generic_key", "value": item.partition("=")[2]}
                   if "=" in item else
                   {"key": item, "value": request.get(item)} for item in shape]
        if all(entry["value"] is not None for entry in entries):
            descriptors.append({"entries": entries})
    return descriptors


def passes(server, domain, descriptors):
    connection = http.client.HTTPConnection(server.http,
                                            timeout=harness.PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("POST", "/json", json.dumps(
            {"domain": domain, "descriptors": descriptors}))
        status = connection.getresponse().status
    assert status in (200, 429), status
    return status == 200


class LimitadorTest(harness.ProcessTest):
    def translate(self, text, *arguments, expect=0):
        path = self.write("limits/limits.yaml", text)
        return self.run_program(harness.CTL, "import", "limitador", path,
                                *arguments, expect=expect)

    def serve(self, text, expect=0):
        """A server with the translation of a limits file."""
        folder = self.folder / "rules"
        folder.mkdir()
        done = self.translate(text, "--output", folder, expect=expect)
        self.assertEqual(done.stdout, "")
        self.run_program(harness.CTL, "validate-config", folder)
        return self.start_server("--config", folder)

    def statuses(self, server, *entries, calls, domain="shop"):
        return [server.ask(*entries, domain=domain)[0] for _ in range(calls)]

    def test_each_namespace_decides_as_in_limitador(self):
        server = self.serve(LIMITS)
        get, post = ("req.method", "GET"), ("req.method", "POST")
        # One counter for all paths but /json, which has no limit.
        self.assertEqual(
            [self.statuses(server, get, ("req.path", path), calls=1)[0]
             for path in ("/a", "/b", "/json", "/c", "/d", "/json", "/a")],
            [200, 200, 200, 200, 429, 200, 429])
        # One counter for each value of a variable.
        self.assertEqual(self.statuses(server, post, ("user_id", "ann"),
                                       calls=3), [200, 200, 429])
        self.assertEqual(self.statuses(server, post, ("user_id", "bob"),
                                       calls=1), [200])
        self.assertEqual(self.statuses(server, ("user_id", "ann"),
                                       ("tenant", "t1"), calls=2), [200, 429])
        self.assertEqual(self.statuses(server, ("user_id", "ann"),
                                       ("tenant", "t2"), calls=2), [200, 429])
        # Conditions that do not hold, and missing variables: no limit.
        self.assertEqual(self.statuses(server, ("req.method", "PUT"),
                                       ("user_id", "ann"), calls=4), [200] * 4)
        self.assertEqual(self.statuses(server, post, calls=4), [200] * 4)
        # The other namespace has its own limits.
        self.assertEqual(self.statuses(server, ("KEY_A", "VALUE_A"), calls=1,
                                       domain="other"), [429])
        self.assertEqual(self.statuses(server, ("KEY_A", "VALUE_B"), calls=1,
                                       domain="other"), [200])
        self.assertEqual(self.statuses(server, ("KEY_A", "VALUE_A"), calls=1),
                         [200])

    def test_random_limits_decide_as_in_limitador(self):
        dice = random.Random(1)
        folder = self.folder / "rules"
        folder.mkdir()
        files = {f"n{number}": random_limits(dice) for number in range(60)}
        for namespace, limits in files.items():
            path = self.write(f"{namespace}.yaml",
                              limits_file(namespace, limits))
            done = subprocess.run(
                [harness.CTL, "import", "limitador", path, "--output", folder],
                capture_output=True, text=True, timeout=harness.PATIENCE_S)
            # Each note of exit status 1 asks for one more descriptor.
            self.assertIn(done.returncode, (0, 1), done.stderr)
            self.assertNotRegex(done.stderr, "left out|expected")
        server = self.start_server("--config", folder)
        refused = 0
        for namespace, limits in files.items():
            shapes = shapes_of((folder / f"{namespace}.yaml").read_text())
            model = Model(limits)
            for _ in range(40):
                request = {key: dice.choice("xyz") for key in
                           dice.sample("abc", dice.randint(1, 3))}
                allowed = model.allows(request)
                refused += not allowed
                descriptors = descriptors_for(shapes, request)
                self.assertEqual(
                    not descriptors or passes(server, namespace, descriptors),
                    allowed, (namespace, limits, request))
        self.assertGreater(refused, 100)

    def test_two_windows_count_together_with_the_noted_descriptor(self):
        server = self.serve("""\
- {namespace: shop, max_value: 2, seconds: 86400, variables: [user]}
- {namespace: shop, max_value: 3, seconds: 2592000, variables: [user]}
""", expect=1)
        check = [harness.CTL, "check", "--address", server.grpc, "--domain",
                 "shop", "--descriptor", "user=ann", "--descriptor",
                 "generic_key=limitador-limit-2,user=ann"]
        for status in (0, 0, 1, 1):
            self.run_program(*check, expect=status)
        # The refused calls took nothing from the longer window.
        check[-1] += ",x=y"
        self.run_program(*check, expect=1)
        look = [harness.CTL, "check", "--address", server.grpc, "--domain",
                "shop", "--hits", "0", "--descriptor",
                "generic_key=limitador-limit-2,user=ann"]
        self.assertIn("remaining 1", self.run_program(*look).stdout)

    def test_prints_the_files_on_stdout_without_a_folder(self):
        documents = list(yaml.safe_load_all(self.translate(LIMITS).stdout))
        self.assertEqual([document["domain"] for document in documents],
                         ["shop", "other"])

    def test_says_where_it_left_a_limit_out_and_translates_the_others(self):
        done = self.translate("""\
- {namespace: shop, max_value: 2, seconds: 60, variables: [user]}
- namespace: shop
  max_value: 2
  seconds: 60
  conditions:
    - descriptors[0].path.startsWith('/v1')
  variables: []
""", expect=1)
        self.assertRegex(done.stderr,
                         r'^\S+limits\.yaml:6: conditions: found '
                         r'"descriptors\[0\]\.path\.startsWith\(\'/v1\'\)", '
                         r'expected [^\n]+\n$')
        self.assertEqual(len(yaml.safe_load(done.stdout)["descriptors"]), 1)

    def test_writes_nothing_if_the_file_is_no_limits_file(self):
        for text in ("domain: shop\n", "- [\n", "", LIMITS + LIMITS):
            done = self.translate(text, expect=2)
            self.assertRegex(done.stderr, r"^\S+limits\.yaml:")
            self.assertEqual(done.stdout, "")
        done = self.run_program(harness.CTL, "import", "limitador",
                                self.folder / "missing.yaml", expect=2)
        self.assertIn("missing.yaml", done.stderr)
        self.run_program(harness.CTL, "import", expect=2)

    def test_writes_all_files_or_none_and_never_replaces_one(self):
        kept = self.write("rules/other.yaml", "edited by hand")
        done = self.translate(LIMITS, "--output", kept.parent, expect=2)
        self.assertIn(str(kept), done.stderr)
        self.assertEqual(os.listdir(kept.parent), ["other.yaml"])
        self.assertEqual(kept.read_text(), "edited by hand")

    def test_a_namespace_cannot_leave_the_folder(self):
        folder = self.folder / "rules"
        folder.mkdir()
        self.translate("- {namespace: ../../up, max_value: 2, seconds: 60, "
                       "variables: [user]}\n", "--output", folder)
        self.assertEqual(os.listdir(folder), ["%2e.%2f..%2fup.yaml"])
        self.assertEqual(sorted(os.listdir(self.folder)), ["limits", "rules"])


if __name__ == "__main__":
    unittest.main()
