"""Certificates for the tests of TLS, made by OpenSSL."""

import subprocess


class Certificates:
    """A certificate authority and its certificates, as files of a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.ca = self.make(f"{name}-ca", "CA:true", "DNS:nobody")[0]

    def make(self, name, constraints, names, *issuer):
        certificate = self.folder / f"{name}.pem"
        key = self.folder / f"{name}-key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             f"/CN={name}", "-addext",
             f"basicConstraints=critical,{constraints}", "-addext",
             f"subjectAltName={names}", *issuer, "-keyout", key, "-out",
             certificate], check=True, stderr=subprocess.DEVNULL)
        return certificate, key

    def issue(self, name, names):
        """(certificate, key), signed by the authority."""
        return self.make(f"{self.name}-{name}", "CA:false", names, "-CA",
                         self.ca, "-CAkey",
                         self.folder / f"{self.name}-ca-key.pem")


def serve_tls(certificates):
    """(name, value) pairs: the settings of a server that serves TLS."""
    certificate, key = certificates.issue("server",
                                          "DNS:localhost,IP:127.0.0.1")
    return [("GRPC_SERVER_USE_TLS", "true"),
            ("GRPC_SERVER_TLS_CERT", str(certificate)),
            ("GRPC_SERVER_TLS_KEY", str(key))]
