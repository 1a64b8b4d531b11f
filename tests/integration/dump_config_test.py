"""ratelimitctl dump-config: the configuration that a server has, and where it
comes from."""

import json
import unittest

import harness
from xds_test import Server as XdsServer
from xds_test import resource

RULES = """\
domain: {domain}
descriptors:
  - key: user
    rate_limit: {{unit: day, requests_per_unit: {limit}}}
"""
LINE = ("{domain}.user: limit={limit} window=24h, algorithm=fixed_window, "
        "shadow_mode: false, quota_mode: false")


class DumpConfigTest(harness.ProcessTest):
    def dump(self, server, *more, expect=0):
        address = server if isinstance(server, str) else server.debug
        return self.run_program(harness.CTL, "dump-config", "--address",
                                address, *more, expect=expect)

    def page(self, server):
        return json.loads(self.dump(server, "--json").stdout)

    def test_files(self):
        for domain in "ab":
            self.write(f"rules/{domain}.yaml",
                       RULES.format(domain=domain, limit=2))
        folder = self.folder / "rules"
        server = self.start_server("--config", folder)
        page = self.page(server)
        self.assertEqual((page["source"], page["places"]),
                         ("files", [str(folder)]))
        self.assertRegex(page["loaded"], r"^20\d\d-.*\+00:00$")
        self.assertIn(f'ratelimitd_config_info{{hash="{page["hash"]}"}} 1\n',
                      server.get("/metrics")[1])
        self.assertEqual([domain["domain"] for domain in page["domains"]],
                         ["a", "b"])
        self.assertEqual(page["domains"][1]["rules"],
                         [LINE.format(domain="b", limit=2)])
        part = page["domains"][1]["from"][0]
        self.assertEqual((part["place"], part["state"]),
                         (str(folder / "b.yaml"), "good"))
        # A bad file keeps its rules; the other one changes.
        self.write("rules/b.yaml", "domain: b\nno: rules")
        self.write("rules/a.yaml", RULES.format(domain="a", limit=3))
        harness.wait_for("the reload", lambda: self.page(server)["domains"][1][
            "from"] == [{**part, "state": "bad"}])
        harness.wait_for("the new limit", lambda: self.page(server)["domains"][
            0]["rules"] == [LINE.format(domain="a", limit=3)])
        text = self.dump(server).stdout
        self.assertIn(f"source: files {folder}\nhash: ", text)
        self.assertIn(f"domain b\n  from {folder}/b.yaml, hash {part['hash']} "
                      "(bad, keeps its last good rules)\n  " +
                      LINE.format(domain="b", limit=2) + "\n", text)

    def test_a_configuration_server(self):
        xds = XdsServer()
        self.addCleanup(xds.stop)
        server = self.start_server(environment={
            "CONFIG_TYPE": "GRPC_XDS_SOTW",
            "CONFIG_GRPC_XDS_SERVER_URL": f"127.0.0.1:{xds.port}",
            "CONFIG_GRPC_XDS_NODE_ID": "envoy-ratelimit"})
        self.assertEqual(self.dump(server).stdout,
                         f"source: xds 127.0.0.1:{xds.port}, version \"\"\n"
                         "hash: \nloaded: no configuration has come yet\n")
        xds.set(7, resource("a", 1), resource("b", 1))
        harness.wait_for("the rules", lambda: self.page(server)["loaded"])
        page = self.page(server)
        self.assertEqual((page["source"], page["version"]), ("xds", "7"))
        # A bad resource keeps its rules.
        xds.set(8, resource("a", 2), resource("b", 1, "UNKNOWN"))
        harness.wait_for("the next version",
                         lambda: self.page(server)["version"] == "8")
        self.assertEqual(
            [(domain["from"][0]["place"], domain["from"][0]["state"])
             for domain in self.page(server)["domains"]],
            [("a", "good"), ("b", "bad")])

    def test_without_an_answer_it_says_so(self):
        server = self.start_server("--config", harness.RECIPE)
        nobody = f"127.0.0.1:{harness.free_port()}"
        self.assertIn(f"no answer from http://{nobody}/config: ",
                      self.dump(nobody, expect=3).stderr)
        # The HTTP port has no such page.
        self.assertIn("HTTP status 404; expected the debug port",
                      self.dump(server.http, expect=3).stderr)
        self.assertIn("--timeout: found \"5\"",
                      self.dump(server, "--timeout", "5", expect=2).stderr)


if __name__ == "__main__":
    unittest.main()
