"""Settings of the reference, with the real programs: where the server listens,
when it is ready, and what it prints and logs."""

import json
import os
import socket
import subprocess
import unittest

import harness

RULES = ("domain: d\ndescriptors:\n- key: a\n  rate_limit: {unit: day, "
         "requests_per_unit: 3}\n")


class SettingsTest(harness.ProcessTest):
    def health(self, address, *flags):
        done = subprocess.run(
            [harness.GRPCURL, "-plaintext", *flags, address,
             "grpc.health.v1.Health/Check"], capture_output=True, text=True,
            timeout=harness.PATIENCE_S)
        return json.loads(done.stdout or "{}").get("status")

    def folder_of_rules(self):
        folder = self.folder / "ratelimit" / "config"
        folder.mkdir(parents=True)
        return {"RUNTIME_ROOT": str(self.folder),
                "RUNTIME_SUBDIRECTORY": "ratelimit"}

    def test_readiness_follows_the_first_domain(self):
        server = self.start_server(environment={
            **self.folder_of_rules(),
            "HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED": "true"})
        status, text = server.get("/healthcheck")
        self.assertEqual(status, 503)
        self.assertIn("no domain is loaded", text)
        self.assertEqual(self.health(server.grpc), "NOT_SERVING")
        self.assertEqual(server.get("/live")[0], 200)
        self.assertIn("no domain is loaded, so every request passes",
                      server.log())
        self.write("ratelimit/config/a.yaml", RULES)
        harness.wait_for("readiness",
                         lambda: server.get("/healthcheck")[0] == 200)
        harness.wait_for("gRPC health",
                         lambda: self.health(server.grpc) == "SERVING")

    def test_without_the_setting_an_empty_folder_is_healthy(self):
        server = self.start_server(environment=self.folder_of_rules())
        self.assertEqual(server.get("/healthcheck")[0], 200)
        self.assertEqual(self.health(server.grpc), "SERVING")

    def test_xds_without_force_start_is_not_ready(self):
        xds = {"CONFIG_TYPE": "GRPC_XDS_SOTW",
               "CONFIG_GRPC_XDS_SERVER_URL":
                   f"127.0.0.1:{harness.free_port()}"}
        server = self.start_server(environment=xds)
        status, text = server.get("/healthcheck")
        self.assertEqual(status, 503)
        self.assertIn("no configuration is loaded", text)
        server = self.start_server(environment={
            **xds, "FORCE_START_WITHOUT_INITIAL_CONFIG": "true"})
        self.assertEqual(server.get("/healthcheck")[0], 200)

    def test_a_silent_redis_does_not_keep_the_ports_closed(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        server = self.start_server(
            "--config", self.write("a.yaml", RULES), environment={
                "REDIS_URL": f"127.0.0.1:{listener.getsockname()[1]}",
                "REDIS_TIMEOUT": "1h"})
        self.assertEqual(server.get("/healthcheck")[0], 200)

    def test_a_unix_socket_instead_of_the_port(self):
        path = self.folder / "rl.sock"
        rules = self.write("a.yaml", RULES)
        server = self.start_server(
            "--config", rules, environment={"GRPC_UDS": str(path)},
            addresses=["--http-address=127.0.0.1:0",
                       "--debug-address=127.0.0.1:0"])
        self.assertEqual(server.grpc, f"unix:{path}")
        # grpcurl would send the path as the authority, which is no valid one.
        self.assertEqual(
            self.health(str(path), "-unix", "-authority", "localhost"),
            "SERVING")

    def test_each_line_of_a_json_log_is_an_object(self):
        server = self.start_server(
            "--config", self.write("a.yaml", RULES),
            environment={"LOG_FORMAT": "JSON", "REDIS_POOL_SIZE": "5"})
        harness.wait_for("a line", lambda: "REDIS_POOL_SIZE" in server.log())
        for line in server.log().splitlines():
            self.assertEqual({"time", "level", "msg"}, set(json.loads(line)))

    def test_a_merged_domain(self):
        folder = self.folder_of_rules()
        self.write("ratelimit/config/a.yaml", RULES)
        self.write("ratelimit/config/b.yaml", RULES.replace("key: a", "key: b"))
        server = self.start_server(
            environment={**folder, "MERGE_DOMAIN_CONFIG": "true"})
        for key in "ab":
            answers = [server.ask((key, "x"), domain="d")[0] for _ in range(4)]
            self.assertEqual(answers, [200, 200, 200, 429])

    def test_print_settings(self):
        done = self.run_program(harness.SERVER, "--print-settings",
                                "--redis-url", "redis://u:hunter2@h:1")
        self.assertNotIn("hunter2", done.stdout)
        self.assertIn("--redis-url = redis://***@h:1 (flag)\n", done.stdout)
        self.assertIn("LOG_LEVEL = info (default)\n", done.stdout)

    def test_validate_config_names_an_empty_folder(self):
        done = self.run_program(harness.CTL, "validate-config",
                                self.folder, expect=1)
        self.assertIn("no file in this folder", done.stderr)

    def validate(self, expect):
        done = subprocess.run(
            [harness.CTL, "validate-config", str(self.folder / "rules")],
            capture_output=True, text=True, timeout=harness.PATIENCE_S,
            env={**os.environ, "MERGE_DOMAIN_CONFIG": "true"})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout + done.stderr

    def test_validate_config_merges_as_the_server_does(self):
        self.write("rules/a.yaml", RULES)
        self.write("rules/b.yaml", RULES.replace("key: a", "key: b"))
        self.assertIn("Domain d: 2 rules", self.validate(0))
        self.write("rules/c.yaml", RULES)
        error = self.validate(1)
        self.assertIn("c.yaml:3: a descriptor with key \"a\"", error)
        self.assertIn("rules/a.yaml:3", error)

    def test_a_failed_start_is_a_json_line_too(self):
        done = subprocess.run(
            [harness.SERVER, "--config", self.write("a.yaml", "kind: [1\n")],
            capture_output=True, text=True, timeout=harness.PATIENCE_S,
            env={**os.environ, "LOG_FORMAT": "json"})
        self.assertEqual(done.returncode, 1)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertIn("a.yaml:", lines[-1]["msg"])
        self.assertEqual(lines[-1]["level"], "error")


if __name__ == "__main__":
    unittest.main()
