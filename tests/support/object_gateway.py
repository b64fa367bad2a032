"""A real S3-compatible store on this machine: Ceph's RADOS gateway, with a monitor and an OSD in memory.

The programs are those of the Debian packages ceph-mon, ceph-osd and radosgw. Run as a module, it serves until it is
stopped, and prints the variables to use it with.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator
from pathlib import Path

_PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_KEY, _SECRET = "aisle-test-key", "aisle-test-secret"
_READY_SECONDS = 90.0
_CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{monitor}/0,v1:127.0.0.1:{monitor_v1}/0]
keyring = {folder}/keyring
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
mon_data = {folder}/mon
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_data_avail_warn = 1
mon_data_avail_crit = 0
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_dir = {classes}
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_data = {folder}/rgw
rgw_enable_usage_log = false
rgw_gc_max_objs = 1
rgw_thread_pool_size = 64
"""


def find_missing_programs() -> list[str]:
    """The programs that are not installed."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


def _find_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def serve_gateway() -> Generator[dict[str, str]]:
    """Start a gateway; the variables to use it with.

    Raises:
        RuntimeError: It does not become ready; the message has the end of its logs.
    """
    with tempfile.TemporaryDirectory(prefix="aisle-gateway-") as name:
        folder, processes = Path(name), list[subprocess.Popen[bytes]]()
        try:
            yield _start(folder, processes)
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGKILL)  # everything is in memory
                process.wait()


def _start(folder: Path, processes: list[subprocess.Popen[bytes]]) -> dict[str, str]:
    port, monitor, monitor_v1 = _find_ports(3)
    fsid = str(uuid.uuid4())
    classes = next(Path("/usr/lib").glob("*/rados-classes"), Path("/usr/lib/rados-classes"))
    settings = _CONFIGURATION.format(
        fsid=fsid, folder=folder, port=port, monitor=monitor, monitor_v1=monitor_v1, classes=classes
    )
    (folder / "ceph.conf").write_text(settings)
    for part in ("mon", "osd", "rgw"):
        (folder / part).mkdir()
    options = ["--conf", str(folder / "ceph.conf")]

    def run(*command: str) -> None:
        finished = subprocess.run(command, capture_output=True, timeout=_READY_SECONDS, check=False)
        if finished.returncode:
            raise RuntimeError(f"{command}: {finished.stderr.decode()[-2000:]}")

    def start(*command: str) -> None:
        with (folder / f"{Path(command[0]).name}.out").open("wb") as output:
            processes.append(subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL))

    keyring, everything = str(folder / "keyring"), ["--cap", "mon", "allow *"]
    run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", *everything)
    caps = [*everything, "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
    for entity in ("client.admin", "client.rgw", "osd.0"):
        run("ceph-authtool", keyring, "--gen-key", "-n", entity, *caps)
    address = f"[v2:127.0.0.1:{monitor},v1:127.0.0.1:{monitor_v1}]"
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, str(folder / "monmap"))
    run("ceph-mon", *options, "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"), "--keyring", keyring)
    start("ceph-mon", *options, "-i", "a", "-f")
    osd = str(uuid.uuid4())
    run("ceph", *options, "osd", "new", osd)
    run("ceph-osd", *options, "-i", "0", "--mkfs", "--osd-uuid", osd)
    run("ceph", *options, "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=here")
    start("ceph-osd", *options, "-i", "0", "-f")
    start("radosgw", *options, "-n", "client.rgw", "-f")
    user = ["user", "create", "--uid", "aisle", "--display-name", "aisle", "--access-key", _KEY, "--secret", _SECRET]
    run("radosgw-admin", *options, "-n", "client.rgw", *user)
    _wait_for(port, processes, folder)
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_REGION": "us-east-1",
    }


def _wait_for(port: int, processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    logs = "\n".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in folder.glob("*.out"))
    raise RuntimeError(f"the gateway is not ready\n{logs}")


def make_bucket(environment: dict[str, str], name: str) -> None:
    """Make a bucket, which no lake does by itself."""
    import pyarrow.fs

    endpoint = environment["AWS_ENDPOINT_URL"].removeprefix("http://")
    files = pyarrow.fs.S3FileSystem(
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=endpoint,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    files.create_dir(name)


if __name__ == "__main__":
    with serve_gateway() as served:
        make_bucket(served, "lakes")
        for variable, value in served.items():
            print(f"export {variable}={value}")
        print("ready", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    os._exit(0)
