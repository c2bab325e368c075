"""Certificates for servers of tests, made by openssl."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

AUTHORITY = """
[ca]
default_ca = own
[own]
database = {directory}/index
new_certs_dir = {directory}
serial = {directory}/serial
default_md = sha256
policy = policy
x509_extensions = names
[policy]
commonName = supplied
[names]
subjectAltName = {names}
"""


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate that signs itself, and of its key."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What a server with this certificate speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(
    directory: Path, *, names: str = "IP:127.0.0.1", begins: str = "20200101000000Z", ends: str = "20990101000000Z"
) -> Certificate:
    """A certificate for ``names`` that is valid between two times, in the form YYYYMMDDHHMMSSZ."""
    made = Certificate(directory / "cert.pem", directory / "key.pem")
    config, request = directory / "authority.cnf", directory / "request.pem"
    config.write_text(AUTHORITY.format(directory=directory, names=names))
    (directory / "index").write_text("")
    (directory / "serial").write_text("01\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(made.key)]
    signs = ["-selfsign", "-batch", "-notext", "-config", str(config), "-keyfile", str(made.key), "-in", str(request)]
    commands = [
        ["openssl", "req", "-new", *new_key, "-subj", "/CN=test", "-out", str(request)],
        ["openssl", "ca", *signs, "-startdate", begins, "-enddate", ends, "-out", str(made.certificate)],
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return made
