"""A container image without a registry: static busybox as an OCI archive.

Serves as the pods' sandbox ("pause") image too. The same bytes each time, so the same digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = "docker.io/local/busybox:1"      # containerd wants the docker.io/ prefix
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
# Sleeps until told to end. `wait` makes the shell see the signal at once.
IDLE = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"


def _add(tar: tarfile.TarFile, name: str, data: bytes | None = None, mode: int = 0o644,
         link: str | None = None) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    if link is not None:
        entry.type, entry.linkname = tarfile.SYMTYPE, link
    elif data is None:
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data or b""))


def _layer(busybox: Path) -> bytes:
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("www", 0o755)):
            _add(tar, folder, mode=mode)
        _add(tar, "bin/busybox", busybox.read_bytes(), 0o755)
        for applet in sorted(set(applets.stdout.split()) - {"busybox"}):
            _add(tar, f"bin/{applet}", link="busybox", mode=0o777)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        _add(tar, "www/healthz", b"ok\n")
    return out.getvalue()


def write_busybox(busybox: Path, archive: Path, name: str = BUSYBOX) -> None:
    blobs: dict[str, bytes] = {}

    def blob(kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}",
                "size": len(data)}

    def document(value: object) -> bytes:
        return json.dumps(value, sort_keys=True).encode()

    layer = blob("layer.v1.tar", _layer(busybox))
    config = blob("config.v1+json", document({
        "architecture": ARCHITECTURE.get(platform.machine(), platform.machine()), "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh", "-c", IDLE]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }))
    manifest = blob("manifest.v1+json", document({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer]}))
    manifest["annotations"] = {"io.containerd.image.name": name,
                               "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", document({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", document({"schemaVersion": 2, "manifests": [manifest]}))
        for digest, data in blobs.items():
            _add(tar, f"blobs/sha256/{digest}", data)
