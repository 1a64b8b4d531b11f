"""The server accepts the files of deploy/, and the files agree with each
other."""

import re
import unittest

import kubernetes_validate
import yaml

import harness

DEPLOY = harness.ROOT / "deploy"


def load(name):
    return yaml.safe_load((DEPLOY / name).read_text())


# The manifests with a container of this server.
PODS = ("envoy-ai-gateway/deployment.yaml", "istio/deployment.yaml",
        "kubernetes/deployment.yaml", "sidecar/pod.yaml")
SERVICES = ("envoy-ai-gateway", "kubernetes", "istio")
# Of Kubernetes. The newest one that kubernetes-validate has.
SCHEMAS = "1.37"


class DeployTest(harness.ProcessTest):
    def container(self, name):
        spec = load(name)["spec"]
        spec = spec.get("template", {}).get("spec", spec)
        return next(item for item in spec["containers"]
                    if item["image"].startswith("ratelimitd:"))

    def test_every_file_is_yaml(self):
        files = sorted(DEPLOY.rglob("*.yaml"))
        self.assertGreaterEqual(len(files), 6)
        for path in files:
            self.assertIsInstance(yaml.safe_load(path.read_text()), dict, path)

    def test_kubernetes_knows_every_field_of_its_objects(self):
        count = 0
        for path in sorted(DEPLOY.rglob("*.yaml")):
            file = yaml.safe_load(path.read_text())
            if "apiVersion" not in file:
                continue
            count += 1
            with self.subTest(path=path):
                kubernetes_validate.validate(file, SCHEMAS, strict=True)
        self.assertGreaterEqual(count, 12)

    def test_envoy_gateway_starts_this_image(self):
        version = self.run_program(harness.SERVER, "--version").stdout.split()
        values = load("envoy-gateway/values.yaml")["config"]["envoyGateway"]
        config_map = load("envoy-gateway/configmap.yaml")
        self.assertEqual(config_map["metadata"]["name"], "envoy-gateway-config")
        config = yaml.safe_load(config_map["data"]["envoy-gateway.yaml"])
        self.assertEqual((config.pop("apiVersion"), config.pop("kind")),
                         ("gateway.envoyproxy.io/v1alpha1", "EnvoyGateway"))
        self.assertEqual(config, values)
        deployment = config["provider"]["kubernetes"]["rateLimitDeployment"]
        self.assertEqual(deployment["container"]["image"].split(":"), version)

    def test_the_redis_of_envoy_ai_gateway_is_the_one_that_it_uses(self):
        service = load("envoy-ai-gateway/redis-service.yaml")
        redis = load("envoy-ai-gateway/redis-deployment.yaml")["spec"]
        environment = {item["name"]: item["value"] for item in self.container(
            "envoy-ai-gateway/deployment.yaml")["env"]}
        self.assertEqual(environment["REDIS_URL"],
                         f"{service['metadata']['name']}:"
                         f"{service['spec']['ports'][0]['port']}")
        labels = redis["template"]["metadata"]["labels"]
        self.assertEqual(redis["selector"]["matchLabels"], labels)
        self.assertEqual(service["spec"]["selector"], labels)
        arguments = redis["template"]["spec"]["containers"][0]["args"]
        self.assertEqual(arguments, ["--save", "", "--appendonly", "no"])

    def test_the_config_maps_are_configurations(self):
        for folder in ("kubernetes", "istio"):
            data = load(f"{folder}/configmap.yaml")["data"]
            for name, text in data.items():
                path = self.write(f"{folder}/{name}", text)
                self.run_program(harness.CTL, "validate-config", path)

    def test_the_recipe_is_the_one_that_was_asked_for(self):
        recipe = load("config/recipe.yaml")["rate_limit"]
        self.assertEqual(recipe["user_tiers"]["free"],
                         {"rps": 5, "burst": 2, "window_seconds": 60})

    def test_probes_ask_for_pages_that_the_server_has(self):
        server = self.start_server("--config", harness.RECIPE)
        for name in PODS:
            container = self.container(name)
            for probe in ("readinessProbe", "livenessProbe"):
                page = container[probe]["httpGet"]["path"]
                self.assertEqual(server.get(page)[0], 200, page)

    def test_arguments_are_flags_that_the_server_has(self):
        usage = self.run_program(harness.SERVER, "--help").stdout
        for name in PODS:
            for flag in self.container(name).get("args", []):
                if flag.startswith("--"):
                    self.assertIn(flag, usage)

    def test_the_image_is_of_this_version_and_says_what_it_needs(self):
        version = self.run_program(harness.SERVER, "--version").stdout.split()
        for name in PODS:
            container = self.container(name)
            self.assertEqual(container["image"].split(":"), version)
            self.assertLessEqual({"cpu", "memory"},
                                 set(container["resources"]["requests"]))
            self.assertIn("memory", container["resources"]["limits"])

    def test_pods_may_serve_and_drain_before_they_are_killed(self):
        usage = self.run_program(harness.SERVER, "--help").stdout
        self.assertIn("default: 5s [env: DRAIN_DELAY]",
                      re.sub(r"\s+", " ", usage))
        for folder in ("kubernetes", "istio"):
            spec = load(f"{folder}/deployment.yaml")["spec"]["template"]["spec"]
            # DRAIN_DELAY, DRAIN_TIME and a second.
            self.assertGreater(spec["terminationGracePeriodSeconds"],
                               5 + 10 + 1)

    def test_the_services_lead_to_the_containers_ports(self):
        for folder in SERVICES:
            ports = self.container(f"{folder}/deployment.yaml")["ports"]
            number = {port["containerPort"]: port["containerPort"]
                      for port in ports}
            named = {port.get("name"): port["containerPort"] for port in ports}
            for port in load(f"{folder}/service.yaml")["spec"]["ports"]:
                self.assertEqual(port["port"],
                                 {**named, **number}[port["targetPort"]])

    def test_the_pods_select_what_the_labels_say(self):
        for folder in SERVICES:
            deployment = load(f"{folder}/deployment.yaml")["spec"]
            labels = deployment["template"]["metadata"]["labels"]
            self.assertEqual(deployment["selector"]["matchLabels"], labels)
            self.assertEqual(load(f"{folder}/service.yaml")["spec"]["selector"],
                             labels)

    def test_a_command_is_a_program_of_the_image(self):
        # The Dockerfile installs with this prefix and copies /usr/bin.
        text = (harness.ROOT / "Dockerfile").read_text()
        self.assertIn("--prefix /usr", text)
        for name in PODS:
            for command in self.container(name).get("command", []):
                self.assertIn(command, ("/usr/bin/ratelimitd",
                                        "/bin/ratelimit"))
        # /bin is a link to /usr/bin in Debian.
        self.assertIn("ln -s ratelimitd /out/usr/bin/ratelimit\n", text)

    def test_the_labels_of_the_image_have_the_version(self):
        version = self.run_program(harness.SERVER, "--version").stdout.split()
        self.assertIn(f"\nARG VERSION={version[1]}\n",
                      (harness.ROOT / "Dockerfile").read_text())

    def test_the_real_envoy_accepts_its_configurations(self):
        for path in sorted((DEPLOY / "envoy").iterdir()):
            self.run_program(harness.ENVOY, "--mode", "validate", "-c", path)

    def test_the_image_runs_as_a_numeric_user_without_root(self):
        text = (harness.ROOT / "Dockerfile").read_text()
        self.assertRegex(text, re.compile(r"^USER [1-9]\d*:[1-9]\d*$", re.M))


if __name__ == "__main__":
    unittest.main()
