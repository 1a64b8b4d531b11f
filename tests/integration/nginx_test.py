"""A real nginx with deploy/gateways/nginx, which queries ratelimitd by
auth_request."""

import os
import unittest

import harness
from gateway_harness import Gateway, GatewayCases, replaced

CONFIG = harness.ROOT / "deploy/gateways/nginx/nginx.conf"


class NginxTest(GatewayCases, harness.ProcessTest):
    def start_gateway(self, server, upstream_port):
        # Folders in which an unprivileged nginx may write.
        folders = "".join(f"{name}_temp_path {self.folder}/{name};"
                          for name in ("client_body", "proxy", "fastcgi",
                                       "uwsgi", "scgi"))

        def prepare(port):
            self.write("nginx.conf", replaced(CONFIG.read_text(), {
                "127.0.0.1:8080": server,
                "127.0.0.1:9000": f"127.0.0.1:{upstream_port}",
                "listen 8000": f"listen 127.0.0.1:{port}",
                "/tmp/nginx-ratelimit.pid": self.folder / "nginx.pid",
                "worker_processes auto": "worker_processes 2",
                "250ms": f"{self.wait_ms}ms",
                "http {": f"http {{ {folders}"}))

        user = "user root; " if os.geteuid() == 0 else ""
        return Gateway(self.folder, [
            "/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-g",
            f"{user}daemon off;"], prepare)


if __name__ == "__main__":
    unittest.main()
