"""Start, reload, drain and errors of the real server."""

import json
import os
import re
import signal
import subprocess
import unittest

import harness
from certificates import Certificates, serve_tls

SERVICE = "envoy.service.ratelimit.v3.RateLimitService"
LIMIT = """\
domain: shop
descriptors:
  - key: path
    rate_limit: {unit: day, requests_per_unit: %d}
"""


class StartTest(harness.ProcessTest):
    def fail(self, *arguments, expect=1, environment=None):
        done = subprocess.run(
            [harness.SERVER, *map(str, arguments)], capture_output=True,
            text=True, timeout=harness.PATIENCE_S,
            env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stderr

    def test_a_bad_config_ends_it_with_file_and_line(self):
        config = self.write("bad.yaml", "rate_limit:\n  default_rps: ten\n")
        # Nothing else. Once the log repeated the message.
        self.assertRegex(
            self.fail("--config", config),
            rf'^{config}:2: default_rps: found "ten", expected a whole number '
            r'from 0 to \d+\n$')

    def test_a_missing_config_is_named(self):
        self.assertIn("nowhere.yaml", self.fail("--config", "nowhere.yaml"))

    def test_a_taken_port_is_named(self):
        first = self.start_server("--config", harness.RECIPE)
        text = self.fail("--config", harness.RECIPE,
                         "--grpc-address", first.grpc)
        self.assertIn(f"cannot listen for gRPC on {first.grpc}", text)
        text = self.fail("--config", harness.RECIPE, "--grpc-address",
                         "127.0.0.1:0", "--http-address", first.http)
        self.assertIn(f"cannot listen for HTTP on {first.http}", text)

    def test_usage_errors_exit_with_2(self):
        self.assertIn("--nonsense", self.fail("--nonsense", expect=2))
        self.assertIn("GRPC_PORT", self.fail(
            "--config", harness.RECIPE, expect=2,
            environment={"GRPC_PORT": "many"}))

    def test_environment_names_the_addresses(self):
        server = self.start_server(
            "--config", harness.RECIPE, addresses=(),
            environment={"GRPC_HOST": "127.0.0.2", "GRPC_PORT": "0",
                         "HOST": "127.0.0.3", "PORT": "0",
                         "DEBUG_HOST": "127.0.0.4", "DEBUG_PORT": "0"})
        self.assertRegex(server.grpc, r"^127\.0\.0\.2:[1-9]\d*$")
        self.assertRegex(server.http, r"^127\.0\.0\.3:[1-9]\d*$")
        self.assertRegex(server.debug, r"^127\.0\.0\.4:[1-9]\d*$")
        self.run_program(harness.GRPCURL, "-plaintext", server.grpc, "list")
        self.assertEqual(server.get("/healthcheck"), (200, "OK"))
        self.assertEqual(server.get("/rlconfig", server.debug)[0], 200)

    def test_a_flag_wins_over_the_environment(self):
        server = self.start_server(
            "--config", harness.RECIPE, "--log-level", "error",
            environment={"GRPC_HOST": "127.0.0.2", "LOG_LEVEL": "debug"})
        self.assertRegex(server.grpc, r"^127\.0\.0\.1:")
        self.assertEqual(server.log(), "")

    def test_the_log_level_comes_from_the_environment(self):
        server = self.start_server("--config", harness.RECIPE,
                                   environment={"LOG_LEVEL": "error"})
        self.assertEqual(server.log(), "")
        server = self.start_server("--config", harness.RECIPE)
        self.assertNotEqual(server.log(), "")

    def test_environment_names_the_config(self):
        self.write("limits/config/a.yaml", LIMIT % 1)
        server = self.start_server(
            environment={"RUNTIME_ROOT": str(self.folder),
                         "RUNTIME_SUBDIRECTORY": "limits"})
        self.assertEqual(server.ask(("path", "/"), domain="shop")[0], 200)
        self.assertEqual(server.ask(("path", "/"), domain="shop")[0], 429)


class ValidateTest(harness.ProcessTest):
    def validate(self, *paths, expect=1):
        return self.run_program(harness.CTL, "validate-config", *paths,
                                expect=expect)

    def test_the_limits_of_a_tier_are_shown(self):
        path = self.write("tiers.yaml", """
rate_limit:
  default_rps: 1
  user_tiers:
    free: {rps: 5}
    pro:
      limits: [{requests: 50, per: 1m}, {tokens: 900, per: day}]
""")
        self.assertEqual(self.validate(path, expect=0).stdout.splitlines(), [
            "✓ Config valid", "✓ Rate limiting: 2 tiers configured (free/pro)",
            "✓ User assignments: 0 users ()",
            "✓ Tier pro: 50 requests/1m, 900 tokens/day@UTC"])

    def test_mistakes_of_all_files_are_reported_at_once(self):
        bad = self.write("bad.yaml", "rate_limit:\n  default_rsp: ten\n")
        worse = self.write("worse.yaml", "domain: a\ndescriptors: 3\n")
        done = self.validate(harness.RECIPE, bad, worse)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 3, done.stderr)
        self.assertIn(f'{bad}:2: unknown key "default_rsp" in rate_limit; did '
                      'you mean "default_rps"?', lines[0])
        self.assertIn(f"{bad}:2: rate_limit: found no default_rps", lines[1])
        self.assertIn(f"{worse}:2: descriptors: found", lines[2])

    def test_ignored_parts_are_shown_and_do_not_fail(self):
        path = self.write("a.yaml", LIMIT % 1 + "---\nnonsense: [\n")
        line = (LIMIT % 1).count("\n") + 1
        done = self.validate(path, expect=0)
        self.assertIn("Config valid", done.stdout)
        self.assertIn(f"warning: {path}:{line}: the text from here to the end",
                      done.stderr)

    def test_two_files_of_one_domain_are_refused_as_the_server_does(self):
        first = self.write("rules/a.yaml", LIMIT % 1)
        second = self.write("rules/b.yaml", LIMIT % 2)
        self.validate(first, expect=0)
        self.validate(second, expect=0)
        self.assertEqual(self.validate(first.parent).stderr,
                         f'{second}:1: domain "shop" is in {first} too, '
                         'expected one file for it\n')

    def test_usage_errors_exit_with_2(self):
        check = ("check", "--domain", "d", "--descriptor", "a=b")
        for arguments in ((), ("validate-config",), ("nonsense",), ("check",),
                          (*check, "--hits", "many"),
                          (*check, "--hits", "18446744073709551616"),
                          (*check, "--hits", "--1"), (*check, "--timeout", "5"),
                          ("check", "--domain", "d", "--descriptor", "a")):
            self.run_program(harness.CTL, *arguments, expect=2)


class ReloadTest(harness.ProcessTest):
    def limit_of(self, server):
        return server.get("/rlconfig", server.debug)[1]

    def test_an_edit_is_taken_up_and_keeps_what_was_counted(self):
        config = self.write("rules/a.yaml", LIMIT % 2)
        server = self.start_server("--config", config.parent)
        for expected in (200, 200, 429):
            self.assertEqual(server.ask(("path", "/"), domain="shop")[0],
                             expected)
        config.write_text(LIMIT % 3)
        harness.wait_for("the new limit",
                         lambda: "limit=3" in self.limit_of(server))
        for expected in (200, 429):
            self.assertEqual(server.ask(("path", "/"), domain="shop")[0],
                             expected)

    def test_sighup_loads_even_what_has_not_changed(self):
        server = self.start_server("--config", self.write("a.yaml", LIMIT % 2))
        loads = 'ratelimitd_config_loads_total{result="success"} %d\n'
        self.assertIn(loads % 1, server.get("/metrics")[1])
        server.process.send_signal(signal.SIGHUP)
        harness.wait_for("the second load",
                         lambda: loads % 2 in server.get("/metrics")[1])

    def test_a_bad_edit_keeps_the_last_good_rules(self):
        config = self.write("a.yaml", LIMIT % 2)
        server = self.start_server("--config", config)
        config.write_text("domain: shop\ndescriptors: 3\n")
        harness.wait_for("the error", lambda: f"{config}:2:" in server.log())
        self.assertIn("limit=2", self.limit_of(server))
        self.assertIn('ratelimitd_config_loads_total{result="failure"} 1',
                      server.get("/metrics")[1])

    def test_a_config_map_swap_is_taken_up(self):
        self.write("mount/..1/a.yaml", LIMIT % 2)
        self.write("mount/..2/a.yaml", LIMIT % 9)
        mount = self.folder / "mount"
        (mount / "..data").symlink_to("..1")
        (mount / "a.yaml").symlink_to("..data/a.yaml")
        server = self.start_server("--config", mount)
        self.assertIn("limit=2", self.limit_of(server))
        (mount / "..new").symlink_to("..2")
        (mount / "..new").rename(mount / "..data")
        harness.wait_for("the new limit",
                         lambda: "limit=9" in self.limit_of(server))

    def test_a_vanished_file_keeps_its_limits_until_sighup(self):
        self.write("rules/a.yaml", LIMIT % 1)
        self.write("rules/b.yaml", "domain: other\n")
        gone = self.folder / "rules/a.yaml"
        server = self.start_server("--config", gone.parent)
        gone.unlink()
        harness.wait_for("the warning", lambda:
                         f'{gone} has been gone for 0s: domain "shop" keeps'
                         in server.log())
        for expected in (200, 429):
            self.assertEqual(server.ask(("path", "/"), domain="shop")[0],
                             expected)
        self.assertIn('ratelimitd_config_stale_domains{reason="gone"} 1',
                      server.get("/metrics")[1])
        self.assertEqual(server.get("/ready")[0], 200)
        server.process.send_signal(signal.SIGHUP)
        harness.wait_for("the removal", lambda:
                         'domain "shop" removed' in server.log())
        self.assertEqual(server.ask(("path", "/"), domain="shop")[0], 200)

    def test_a_reload_under_way_delays_neither_decisions_nor_the_end(self):
        config = self.write("a.yaml", LIMIT % 1)
        server = self.start_server("--config", config)
        # Loads for seconds. The end comes in the middle.
        rule = "- {key: k, value: v%d, rate_limit: {unit: day}}\n"
        config.write_text("domain: shop\ndescriptors:\n" +
                          "".join(rule % i for i in range(250_000)))
        server.process.send_signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: "reloading" in server.log())
        self.assertEqual(server.ask(("path", "/"), domain="shop")[0], 200)
        server.process.terminate()
        self.assertEqual(server.process.wait(60), 0)
        self.assertNotIn("250000 rules", server.log())


class GrpcurlTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_server("--config", harness.RECIPE)

    def grpcurl(self, *arguments, expect=0):
        return self.run_program(harness.GRPCURL, "-plaintext", *arguments,
                                expect=expect)

    def test_reflection_lists_and_describes_the_service(self):
        listed = self.grpcurl(self.server.grpc, "list").stdout
        self.assertIn(SERVICE, listed)
        self.assertIn("grpc.health.v1.Health", listed)
        described = self.grpcurl(self.server.grpc, "describe", SERVICE).stdout
        self.assertIn("ShouldRateLimit", described)

    def test_health_is_serving_for_every_name(self):
        for name in ("", "ratelimit", SERVICE):
            done = self.grpcurl("-d", '{"service": "%s"}' % name,
                                self.server.grpc, "grpc.health.v1.Health/Check")
            self.assertIn('"SERVING"', done.stdout)

    # grpcurl once printed overall_code. Reflection of gRPC C++, which the
    # general transport serves, still has no names of JSON.
    def test_fields_have_the_names_of_json(self):
        is_general = os.environ.get("GRPC_TRANSPORT") == "grpc"
        name = "overall_code" if is_general else "overallCode"
        request = {"domain": "default", "descriptors": [{"entries": [
            {"key": "user_id", "value": "user-123"}]}]}
        done = self.grpcurl("-d", json.dumps(request), self.server.grpc,
                            SERVICE + "/ShouldRateLimit")
        self.assertIn(f'"{name}": "OK"', done.stdout)

    def test_an_empty_domain_is_an_invalid_argument(self):
        done = self.grpcurl("-d", "{}", self.server.grpc,
                            SERVICE + "/ShouldRateLimit", expect=67)
        self.assertIn("InvalidArgument", done.stderr)
        self.assertIn("domain: must not be empty", done.stderr)


class ControlTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_server("--config", harness.RECIPE)

    def check(self, *arguments, expect=0):
        return self.run_program(
            harness.CTL, "check", "--address", self.server.grpc, "--domain",
            "default", "--timeout", f"{harness.PATIENCE_S}s", *arguments,
            expect=expect)

    def test_check_tells_verdict_limit_and_body(self):
        harness.quiet_minute()
        user = ("--descriptor", "user_id=user-123")
        self.assertIn("limit 5 per MINUTE, remaining 4",
                      self.check(*user).stdout)
        self.check(*user, "--hits", "4")
        refused = self.check(*user, expect=1).stdout
        self.assertTrue(refused.startswith("OVER_LIMIT\n"), refused)
        self.assertIn("Free tier: 5 req/min", refused)
        self.check(*user, "--hits", "18446744073709551615", expect=1)
        self.check(*user, "--hits", "-1")
        self.assertIn('"limitRemaining":1',
                      self.check(*user, "--hits", "0", "--json").stdout)

    def test_no_answer_is_exit_3_and_says_why(self):
        done = self.check("--descriptor", "=", expect=2)
        self.assertIn("expected key=value", done.stderr)
        # No program listens on port 9 of this loopback address.
        done = self.run_program(
            harness.CTL, "check", "--address", "127.0.0.9:9", "--domain", "d",
            "--descriptor", "a=b", expect=3)
        self.assertIn("UNAVAILABLE", done.stderr)


class TlsControlTest(harness.ProcessTest):
    def setUp(self):
        super().setUp()
        self.own = Certificates(self.folder, "own")
        self.settings = dict(serve_tls(self.own))

    def serve(self, **more):
        self.server = self.start_server("--config", harness.RECIPE,
                                        environment={**self.settings, **more})

    def check(self, *arguments, expect=0, address=None):
        return self.run_program(
            harness.CTL, "check", "--address", address or self.server.grpc,
            "--domain", "default", "--descriptor", "a=b", "--timeout",
            f"{harness.PATIENCE_S}s", *arguments, expect=expect)

    def test_check_asks_a_server_that_it_trusts(self):
        self.serve()
        self.assertTrue(self.check("--tls-ca", self.own.ca).stdout
                        .startswith("OK\n"))
        strange = Certificates(self.folder, "strange")
        for trust in (["--tls-ca", strange.ca], ["--tls"]):
            done = self.check(*trust, expect=3)
            # Nothing else, such as log lines of gRPC.
            self.assertRegex(done.stderr,
                             r"\Aratelimitctl: no answer from \S+: UNAVAILABLE: "
                             r".*certificate verify failed.*\n\Z")
        self.check(expect=3)  # in cleartext

    def test_check_verifies_the_given_server_name(self):
        certificate, key = self.own.issue("named", "DNS:limits.test")
        self.settings.update(GRPC_SERVER_TLS_CERT=str(certificate),
                             GRPC_SERVER_TLS_KEY=str(key))
        self.serve()
        trust = ("--tls-ca", self.own.ca)
        self.check(*trust, expect=3)
        self.check(*trust, "--tls-server-name", "other.test", expect=3)
        self.check(*trust, "--tls-server-name", "limits.test")

    def test_check_shows_its_certificate(self):
        certificate, key = self.own.issue("client", "DNS:gateway.test")
        self.serve(GRPC_CLIENT_TLS_CACERT=str(self.own.ca),
                   GRPC_CLIENT_TLS_SAN="gateway.test")
        trust = ("--tls-ca", self.own.ca)
        self.check(*trust, expect=3)
        self.check(*trust, "--tls-cert", certificate, "--tls-key", key)

    def test_files_of_no_use_are_named(self):
        certificate, key = self.own.issue("client", "DNS:gateway.test")
        text = self.write("text", "no PEM")
        address = "127.0.0.1:1"  # never contacted
        for arguments, words in (
                (["--tls-ca", "nowhere.pem"], "nowhere.pem: "),
                (["--tls-ca", text], f"{text}: "),
                (["--tls-ca", self.folder], f"{self.folder}: "),
                (["--tls-ca", ""], "--tls-ca: expected something"),
                (["--tls-server-name", ""], "--tls-server-name: expected"),
                (["--tls-cert", certificate], "its key need each other"),
                (["--tls-key", key], "its key need each other"),
                (["--tls-cert", certificate, "--tls-key", text], f"{text}: "),
                (["--tls-cert", certificate, "--tls-key",
                  self.folder / "own-ca-key.pem"], "own-ca-key.pem: ")):
            done = self.check(*arguments, expect=2, address=address)
            self.assertIn(words, done.stderr)
            self.assertNotIn("PRIVATE", done.stderr)


class DrainTest(harness.ProcessTest):
    def test_it_serves_but_is_not_ready_until_the_delay_is_over(self):
        server = self.start_server("--config", harness.RECIPE,
                                   environment={"DRAIN_DELAY": "1h"})
        server.process.send_signal(signal.SIGTERM)
        harness.wait_for("the delay", lambda:
                         server.get("/ready") == (503, "draining"))
        self.assertEqual(server.get("/healthcheck"), (503, "draining"))
        self.assertEqual(server.get("/live")[0], 200)
        health = self.run_program(
            harness.GRPCURL, "-plaintext", server.grpc,
            "grpc.health.v1.Health/List").stdout
        self.assertEqual(health.count('"NOT_SERVING"'), 3, health)
        # Over new connections.
        self.assertEqual(server.ask(("user_id", "user-123"))[0], 200)
        self.run_program(
            harness.CTL, "check", "--address", server.grpc, "--domain",
            "default", "--descriptor", "user_id=user-123")
        # It ends the delay, and the server answers all calls.
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.wait(harness.PATIENCE_S), 0)

    def test_ctrl_c_has_no_delay(self):
        server = self.start_server("--config", harness.RECIPE,
                                   environment={"DRAIN_DELAY": "1h"})
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.wait(harness.PATIENCE_S), 0)

    # Once the server replaced each call that its shutdown returned with a new
    # call, up to 100,000 for each core. That took a second and hundreds of
    # megabytes.
    def test_it_takes_no_memory(self):
        server = harness.Server("--config", harness.RECIPE)
        with open(f"/proc/{server.process.pid}/status") as status:
            peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB",
                                     status.read()).group(1))
        server.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(server.process.pid, 0)
        server.process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(server.stop(), 0, server.log())
        self.assertLess(usage.ru_maxrss, peak_kib + 64 * 1024)
        server.stderr.close()

    def test_a_watcher_is_notified_and_does_not_delay_the_drain(self):
        server = harness.Server("--config", harness.RECIPE)
        watcher = subprocess.Popen(
            [harness.GRPCURL, "-plaintext", "-d", "{}", server.grpc,
             "grpc.health.v1.Health/Watch"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        seen = [watcher.stdout.readline() for _ in range(3)]
        self.assertIn('"SERVING"', "".join(seen))
        self.assertEqual(server.stop(), 0)
        out, _ = watcher.communicate(timeout=harness.PATIENCE_S)
        self.assertIn("NOT_SERVING", out)
        server.stderr.close()


if __name__ == "__main__":
    unittest.main()
