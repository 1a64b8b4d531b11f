"""The server accepts the files of deploy/, and the files agree with each
other."""

import re
import unittest

import yaml

import harness

DEPLOY = harness.ROOT / "deploy"


def load(name):
    return yaml.safe_load((DEPLOY / name).read_text())


# The manifests with a container of this server.
PODS = ("istio/deployment.yaml", "kubernetes/deployment.yaml",
        "sidecar/pod.yaml")


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
        for folder in ("kubernetes", "istio"):
            ports = self.container(f"{folder}/deployment.yaml")["ports"]
            number = {port["containerPort"]: port["containerPort"]
                      for port in ports}
            named = {port.get("name"): port["containerPort"] for port in ports}
            for port in load(f"{folder}/service.yaml")["spec"]["ports"]:
                self.assertEqual(port["port"],
                                 {**named, **number}[port["targetPort"]])

    def test_the_pods_select_what_the_labels_say(self):
        for folder in ("kubernetes", "istio"):
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
                self.assertEqual(command, "/usr/bin/ratelimitd")

    def test_the_real_envoy_accepts_its_configurations(self):
        for path in sorted((DEPLOY / "envoy").iterdir()):
            self.run_program(harness.ENVOY, "--mode", "validate", "-c", path)

    def test_the_image_runs_as_a_numeric_user_without_root(self):
        text = (harness.ROOT / "Dockerfile").read_text()
        self.assertRegex(text, re.compile(r"^USER [1-9]\d*:[1-9]\d*$", re.M))


if __name__ == "__main__":
    unittest.main()
