"""A real Caddy with deploy/gateways/caddy, which queries ratelimitd by
forward_auth."""

import unittest

import harness
from gateway_harness import Gateway, GatewayCases, replaced

CONFIG = harness.ROOT / "deploy/gateways/caddy/Caddyfile"


class CaddyTest(GatewayCases, harness.ProcessTest):
    def start_gateway(self, server, upstream_port):
        def prepare(port):
            self.write("Caddyfile", replaced(CONFIG.read_text(), {
                "127.0.0.1:8080": server,
                "127.0.0.1:9000": f"127.0.0.1:{upstream_port}",
                "http://:8000": f"http://127.0.0.1:{port}",
                "unix//tmp/caddy-ratelimit.sock":
                    f"unix/{self.folder}/away.sock",
                "250ms": f"{self.wait_ms}ms"}))

        return Gateway(self.folder, [
            "env", f"HOME={self.folder}", "caddy", "run", "--config",
            "Caddyfile"], prepare)


if __name__ == "__main__":
    unittest.main()
