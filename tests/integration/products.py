"""How products start the server, and the Envoy that they put in front of it.

The environments are literally those of the products. A test changes only
addresses and paths, because it must not use fixed ones.
"""

import os
import pathlib
import stat
import subprocess
import sys

import yaml

import harness
from redis_harness import wait_until_ready

POD = pathlib.Path(__file__).parent / "pod.py"

# Envoy Gateway 1.7 to 1.9, with Prometheus and traces.
ENVOY_GATEWAY = {
    "RUNTIME_ROOT": "/data",
    "RUNTIME_SUBDIRECTORY": "ratelimit",
    "RUNTIME_IGNOREDOTFILES": "true",
    "RUNTIME_WATCH_ROOT": "false",
    "LOG_LEVEL": "info",
    "USE_STATSD": "false",
    "CONFIG_TYPE": "GRPC_XDS_SOTW",
    "CONFIG_GRPC_XDS_SERVER_URL": "envoy-gateway:18001",
    "CONFIG_GRPC_XDS_NODE_ID": "envoy-ratelimit",
    "GRPC_SERVER_USE_TLS": "true",
    "GRPC_SERVER_TLS_CERT": "/certs/tls.crt",
    "GRPC_SERVER_TLS_KEY": "/certs/tls.key",
    "GRPC_SERVER_TLS_CA_CERT": "/certs/ca.crt",
    "CONFIG_GRPC_XDS_SERVER_USE_TLS": "true",
    "CONFIG_GRPC_XDS_CLIENT_TLS_CERT": "/certs/tls.crt",
    "CONFIG_GRPC_XDS_CLIENT_TLS_KEY": "/certs/tls.key",
    "CONFIG_GRPC_XDS_SERVER_TLS_CACERT": "/certs/ca.crt",
    "FORCE_START_WITHOUT_INITIAL_CONFIG": "true",
    "REDIS_SOCKET_TYPE": "tcp",
    "REDIS_URL": "redis.redis-system.svc.cluster.local:6379",
    "USE_PROMETHEUS": "true",
    "PROMETHEUS_ADDR": ":19001",
    "PROMETHEUS_MAPPER_YAML": "/etc/statsd-exporter/conf.yaml",
    "TRACING_ENABLED": "true",
    "TRACING_SERVICE_NAME": "envoy-ratelimit",
    "TRACING_SERVICE_NAMESPACE": "envoy-gateway-system",
    "TRACING_SERVICE_INSTANCE_ID": "envoy-ratelimit-5f8d9c7b6d-x2x7k",
    "TRACING_SAMPLING_RATE": "0.6",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector.monitoring:4317",
}

# The Deployment of Envoy AI Gateway's tests, and the argument that it has.
AI_GATEWAY = {
    "LOG_LEVEL": "debug",
    "REDIS_SOCKET_TYPE": "tcp",
    "REDIS_URL": "redis.redis-system.svc.cluster.local:6379",
    "RUNTIME_ROOT": "/data",
    "RUNTIME_SUBDIRECTORY": "ratelimit",
    "USE_STATSD": "false",
    "CONFIG_TYPE": "GRPC_XDS_SOTW",
    "CONFIG_GRPC_XDS_NODE_ID": "envoy-ai-gateway-ratelimit",
    "CONFIG_GRPC_XDS_SERVER_URL":
        "ai-gateway-controller.envoy-ai-gateway-system.svc.cluster.local:18002",
    "GRPC_PORT": "8081",
}
AI_GATEWAY_ARGUMENT = ("--quotaRateLimitServiceHost="
                       "envoy-ai-gateway-ratelimit.envoy-gateway-system")

# samples/ratelimit/rate-limit-service.yaml of Istio.
ISTIO = {
    "LOG_LEVEL": "debug",
    "REDIS_SOCKET_TYPE": "tcp",
    "REDIS_URL": "redis:6379",
    "USE_STATSD": "false",
    "RUNTIME_ROOT": "/data",
    "RUNTIME_SUBDIRECTORY": "ratelimit",
    "RUNTIME_WATCH_ROOT": "false",
    "RUNTIME_IGNOREDOTFILES": "true",
    "HOST": "::",
    "GRPC_HOST": "::",
}

# In addition, with `tls` of the Redis and a `certificateRef`. There is no
# variable for an authority: those of the system count.
ENVOY_GATEWAY_REDIS_TLS = {
    "REDIS_TLS": "true",
    "REDIS_TLS_CLIENT_CERT": "/redis-certs/tls.crt",
    "REDIS_TLS_CLIENT_KEY": "/redis-certs/tls.key",
}

# What a test changes for each product. On a busy machine an answer of Redis may
# take longer than the default of 10 ms.
CHANGED = {"PORT": "0", "GRPC_PORT": "0", "DEBUG_PORT": "0",
           "REDIS_TIMEOUT": f"{harness.PATIENCE_S}s"}
ELSEWHERE = {"PROMETHEUS_ADDR": "127.0.0.1:0",
             "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


def mount(folder, files):
    """Writes {name: bytes} as Kubernetes mounts a Secret or a ConfigMap: the
    names are links into a hidden folder. A second call replaces all files at
    once, as the kubelet does."""
    folder.mkdir(parents=True, exist_ok=True)
    number = sum(path.name.startswith("..20") for path in folder.iterdir())
    content = folder / f"..20{number}"
    content.mkdir()
    for name, data in files.items():
        (content / name).write_bytes(data)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
    (folder / "..next").symlink_to(content.name)
    os.replace(folder / "..next", folder / "..data")


def can_be_a_pod():
    """Whether this machine allows the namespaces of pod.py."""
    done = subprocess.run([sys.executable, POD, "/bin/true"],
                          stderr=subprocess.DEVNULL)
    return done.returncode == 0


class ProductTest(harness.ProcessTest):
    """Starts the server by a link named `ratelimit`, as user 65534, without a
    file system to write to."""

    def setUp(self):
        super().setUp()
        self.program = self.folder / "ratelimit"
        self.program.symlink_to(harness.SERVER)

    def start_product(self, environment, *arguments):
        # The user of the pod must read the files of the test.
        for path in (self.folder, *self.folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH |
                           (0o011 if path.is_dir() else 0))
        program = (self.program,)
        if can_be_a_pod():
            program = (sys.executable, "-B", POD, self.program)
        else:
            print("no namespaces: the server runs as this user, and the file "
                  "systems are not read-only", file=sys.stderr)
        server = self.start_server(
            *arguments, addresses=(), program=program,
            environment={**environment, **CHANGED, **{
                name: value for name, value in ELSEWHERE.items()
                if name in environment}})
        wait_until_ready(server)
        server.grpc = server.grpc.replace("[::]", "127.0.0.1")
        return server

    def start_gateway(self, server, snippets, change=lambda config: None):
        """The real Envoy with the filters and routes of a product."""
        def change_all(config):
            harness.allow_slow_answers(config)
            change(config)
        return self.start_envoy(
            server, change=change_all,
            name=self.write("product.yaml", yaml.safe_dump(snippets)))


def gateway(filters, routes, transport_socket=None):
    """A configuration of Envoy. `filters` and `routes` are YAML."""
    def cluster(name, **more):
        address = {"socket_address": {"address": "127.0.0.1", "port_value": 1}}
        return {"name": name, "type": "STATIC", "connect_timeout": "5s",
                "load_assignment": {"cluster_name": name, "endpoints": [
                    {"lb_endpoints": [{"endpoint": {"address": address}}]}]},
                **more}
    http2 = {"explicit_http_config": {"http2_protocol_options": {}}}
    secure = {"transport_socket": transport_socket} if transport_socket else {}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
                 "http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http", "use_remote_address": True,
        "http_filters": yaml.safe_load(filters),
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": yaml.safe_load(routes)}]}}
    return {"static_resources": {
        "listeners": [{"name": "http", "address": {"socket_address": {
            "address": "127.0.0.1", "port_value": 0}}, "filter_chains": [
                {"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager}]}]}],
        "clusters": [
            cluster("upstream"),
            cluster("ratelimitd", typed_extension_protocol_options={
                options: {
                    "@type": f"type.googleapis.com/{options}", **http2}},
                    **secure)]}}
