"""A small certificate authority on the openssl command: P-256, for test instances only."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from .common import Failure

DAYS = "3650"


def openssl(*args: str) -> None:
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"openssl {args[0]} failed: {done.stderr.strip()[-500:]}")


def _key(path: Path) -> None:
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", str(path))
    path.chmod(0o600)


class Authority:
    """DIR/ca.crt and DIR/ca.key, made on first use; certificates beside them."""

    def __init__(self, directory: Path, common_name: str) -> None:
        self.dir = directory
        self.cert, self.key = directory / "ca.crt", directory / "ca.key"
        directory.mkdir(parents=True, exist_ok=True)
        if not self.cert.exists():
            _key(self.key)
            openssl("req", "-x509", "-new", "-key", str(self.key), "-subj", f"/CN={common_name}",
                    "-days", DAYS, "-sha256", "-out", str(self.cert),
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")

    def _issue(self, name: str, subject: str, extensions: str) -> tuple[Path, Path]:
        cert, key = self.dir / f"{name}.crt", self.dir / f"{name}.key"
        if cert.exists():
            return cert, key
        _key(key)
        with tempfile.TemporaryDirectory(dir=self.dir) as scratch:
            request, ext = Path(scratch) / "csr", Path(scratch) / "ext"
            ext.write_text(f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n{extensions}\n")
            openssl("req", "-new", "-key", str(key), "-subj", subject, "-out", str(request))
            openssl("x509", "-req", "-in", str(request), "-CA", str(self.cert),
                    "-CAkey", str(self.key), "-CAcreateserial", "-days", DAYS, "-sha256",
                    "-extfile", str(ext), "-out", str(cert))
        return cert, key

    def server(self, name: str, subject: str, names: list[str]) -> tuple[Path, Path]:
        """A server certificate for `names`, each "IP:..." or "DNS:..."."""
        return self._issue(name, subject,
                           "extendedKeyUsage=serverAuth\nsubjectAltName=" + ",".join(names))

    def client(self, name: str, user: str, groups: list[str]) -> tuple[Path, Path]:
        """A client certificate as Kubernetes reads it: CN is the user, each O a group."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._issue(name, subject, "extendedKeyUsage=clientAuth")
