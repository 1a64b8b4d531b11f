"""Takes the steps of a case and compares the answers."""

import concurrent.futures
import json
import re

import grpc

import cases
import wire
import worlds
from protobuf_reader import fields, first


def number(seconds):
    """Without a fraction if there is none."""
    return int(seconds) if seconds == int(seconds) else seconds


class CallSteps:
    """The steps of one case against one world."""

    def __init__(self, test, world, case):
        self.test, self.world, self.case = test, world, case
        self.place = ""

    def run(self):
        """Raises AssertionError with the step that has another answer."""
        self.world.set_clock(worlds.BEGIN_S)
        for step_number, step in enumerate(self.case.steps, 1):
            for time_number in range(step.times):
                self.place = (f"\nstep {step_number}, time {time_number + 1}: "
                              f"{step.raw_step}")
                self.run_step(step)

    def run_step(self, step):
        if (seconds := step.get("pass")) is not None:
            self.world.set_clock(self.world.clock.now_s + seconds)
        elif moment := step.get("set"):
            self.world.set_clock(int(moment.timestamp()))
        elif (text := step.get("json")) is not None:
            self.run_json(step, text)
        elif step.get("health") is not None or step.get("health_list"):
            self.run_health(step)
        elif (rules := step.get("reload")) is not None:
            self.world.reload(self.case, rules)
        elif (text := step.get("bad_file")) is not None:
            self.world.reload_bad(self.case, text)
        elif together := step.get("together"):
            self.run_together(step, together)
        elif path := step.get("get"):
            status, _, body = self.world.http("GET", path)
            self.check_equal(status, step.get("status", 200))
            self.check_says(body.decode(), step)
        else:
            self.run_call(step)

    def run_together(self, step, calls):
        """Many calls at once. `passes` of them pass."""
        message = self.message(step)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = pool.map(self.world.call, [message] * calls)
            codes = [wire.Answer(answer).overall for answer in answers]
        self.check_equal(codes.count("OK"), step.get("passes"))
        self.check_equal(codes.count("OVER"), calls - step.get("passes"))

    def message(self, step):
        if (raw := step.get("raw")) is not None:
            return bytes.fromhex(raw)
        domain = cases.repeat(step.get("domain", self.case.domain))
        return wire.encode_request(domain, step.descriptors,
                                   step.get("hits", 0))

    def run_call(self, step):
        error = step.get("error")
        try:
            answer = wire.Answer(self.world.call(
                self.message(step), step.get("method", worlds.METHOD),
                step.get("compression", "NoCompression")))
        except grpc.RpcError as failure:
            found = f"{failure.code().name}: {failure.details()}"
            self.check_equal(failure.code().name, error, found)
            self.check_says(failure.details(), step)
            return
        found = [self.describe(status) for status in answer.statuses]
        if error:
            self.test.fail(f"found {found}, expected {error}{self.place}")
        expected = [self.describe_expected(item, status) for item, status in
                    self.pairs(step.expected, answer.statuses)]
        self.check_equal([answer.overall, *found], [step.overall, *expected])
        self.check_extras(step, answer)

    def check_equal(self, found, expected, more=""):
        self.test.assertEqual(found, expected, f"{more}{self.place}")

    def check_says(self, text, step):
        self.test.assertTrue(re.search(step.get("says", ""), text),
                             f"found {text!r}{self.place}")

    def check_extras(self, step, answer):
        headers = [list(map(str, pair)) for pair in step.get("headers", [])]
        # `any` stands for a number that is no matter of this case.
        self.check_equal(
            [[name, "any"] if [name, "any"] in headers and value.isdigit()
             else [name, value] for name, value in answer.headers], headers)
        self.check_metadata(answer.metadata, step.get("metadata"))
        self.check_equal(answer.body, step.get("body", ""))
        self.check_equal(answer.request_headers, [])
        self.check_equal(answer.quota, None)

    def check_metadata(self, found, expected):
        """Fields that the case does not name may be there, too. null: a field
        must not be there."""
        if expected is None or found is None:
            self.check_equal(found, expected)
            return
        self.check_equal({name: found.get(name) for name in expected},
                         expected)

    def run_health(self, step):
        """health: NAME checks one name, health_list: NAMES are all serving."""
        names = step.get("health_list")
        try:
            answer = self.world.call(
                b"" if names else wire.bytes_field(1, step.get("health")),
                "/grpc.health.v1.Health/" + ("List" if names else "Check"))
        except grpc.RpcError as failure:
            self.check_equal(failure.code().name, step.get("error"))
            return
        self.check_equal(None, step.get("error"))
        serving = wire.number_field(1, 1)
        if not names:
            self.check_equal(answer, serving)
            return
        found = {first(pair, 1, b"").decode(): first(pair, 2, b"")
                 for pair in map(fields, fields(answer).get(1, []))}
        self.check_equal({name: found.get(name) for name in names},
                         {name: serving for name in names})

    @staticmethod
    def pairs(expected, statuses):
        """Each expected status with the one that was found, or None."""
        return [(item, statuses[number] if number < len(statuses) else None)
                for number, item in enumerate(expected)]

    def describe(self, status):
        if status.limit is None:
            reset = "" if status.reset is None else f" reset {number(status.reset)}"
            return f"{status.code} {status.remaining} no limit{reset}"
        requests, unit = status.limit
        unit = {number: name for name, number in wire.UNITS.items()}.get(
            unit, unit)
        name = f" named {status.name}" if status.name else ""
        return (f"{status.code} {status.remaining} of {requests}/{unit}{name} "
                f"reset {number(status.reset or 0)}")

    def describe_expected(self, expected, found):
        if expected.limit is None:
            return f"{expected.code} {expected.remaining} no limit"
        requests, unit = expected.limit
        length = cases.LENGTHS_S[unit]
        reset = expected.reset or length - self.world.clock.now_s % length
        if reset == "any" and found:
            # Even then it must be in the window, in whole seconds.
            inside = (found.reset or 0) in range(1, length + 1)
            reset = f"{number(found.reset)}" if inside else f"1 to {length}"
        name = f" named {expected.name}" if expected.name else ""
        return (f"{expected.code} {expected.remaining} of {requests}/{unit}"
                f"{name} reset {reset}")

    def run_json(self, step, text):
        if isinstance(text, dict):
            text = json.dumps({"domain": self.case.domain, **text})
        body = text.replace("$DOMAIN", self.case.domain).encode()
        status, kind, answer = self.world.http("POST", "/json", body)
        self.check_equal(status, step.get("status", 200), answer)
        if (expected := step.get("answer")) is not None:
            self.check_equal(json.loads(answer), expected)
            self.check_equal(kind, "application/json")
