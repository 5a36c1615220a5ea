"""What a cluster can add, as its head node learns it from Kubernetes."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).parents[1]
PATH = "/apis/ray.io/v1/namespaces/research/rayclusters/lcl-lab-x7k2p"
PRINT_GROUPS = """
import json
from lcl_lab.ray_cluster import leave_cluster, node_groups, start_cluster
start_cluster(1)
print(json.dumps([[group.resources, group.most] for group in node_groups()]))
leave_cluster()
"""


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(1)).not_valid_after(
        datetime.now(UTC) + timedelta(1)
    )
    certificate = builder.add_extension(host, critical=True).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = folder / "certificate.pem", folder / "key.pem"
    for file, content in zip(files, (certificate.public_bytes(pem), private), strict=True):
        file.write_bytes(content)
    return files


@contextmanager
def kubernetes(folder: Path, resources: dict[str, Any]) -> Iterator[dict[str, str]]:
    """A server that answers as that of Kubernetes; the environment of a pod that may ask it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in resources else 404)
            self.end_headers()
            self.wfile.write(json.dumps(resources.get(self.path, {})).encode())

        def log_message(self, *_: object) -> None:
            pass

    certificate, key = write_certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT_HTTPS": str(server.server_port),
            "RAY_KUBERAY_CA_CERT_PATH": str(certificate),
            "RAY_KUBERAY_CLIENT_CERT_PATH": str(certificate),
            "RAY_KUBERAY_CLIENT_KEY_PATH": str(key),
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_nodes_that_kuberay_can_add_are_read_from_kubernetes(tmp_path: Path) -> None:
    job = yaml.safe_load((ROOT / "studies" / "cluster" / "kuberay.yaml").read_text(encoding="utf-8"))
    spec = job["spec"]["rayClusterSpec"]
    resources = {
        PATH: {"metadata": {"name": "lcl-lab-x7k2p", "namespace": "research"}, "spec": spec},
        PATH + "-fixed": {"metadata": {}, "spec": {**spec, "enableInTreeAutoscaling": False}},
    }
    with kubernetes(tmp_path, resources) as pod:
        for name, groups in (("", [[{"CPU": 8, "GPU": 1}, 4]]), ("-fixed", []), ("-unknown", [])):
            variables = {**os.environ, **pod, "RAY_CLUSTER_NAME": f"lcl-lab-x7k2p{name}"}
            variables |= {"RAY_CLUSTER_NAMESPACE": "research", "PYTHONPATH": str(ROOT)}
            words = [sys.executable, "-c", PRINT_GROUPS]
            done = subprocess.run(words, capture_output=True, text=True, env=variables, cwd=tmp_path, timeout=300)
            assert done.returncode == 0, done.stderr
            found = [[{key: kind[key] for key in ("CPU", "GPU")}, most] for kind, most in json.loads(done.stdout)]
            assert found == groups
