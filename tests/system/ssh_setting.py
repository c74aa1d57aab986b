"""What surrounds ``ssh_device``: a mount namespace with accounts and files, a film, a port."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

from edge_fea.capture.demo import DemoSource, Scene

ROOT = Path(__file__).parents[2]

SCRIPT = """
mount --bind {folder}/etc /etc
{reach}
useradd --system --user-group --no-create-home --home-dir / --shell /bin/sh --password '*' edge-fea
install -d -o edge-fea -g edge-fea -m 0750 {folder}/data
{as_service} {python} -c {make_key}
{root}/deploy/clinician-account.sh clinician /etc/edge-fea/clinicians edge-fea \
  {folder}/data {folder}/cache
{root}/deploy/clinician-account.sh clinician /etc/edge-fea/clinicians edge-fea \
  {folder}/data {folder}/cache
cat {folder}/clinician.pub > /etc/edge-fea/clinicians
cat {folder}/service.pub > /etc/edge-fea/service-keys
echo 'AuthorizedKeysFile /etc/edge-fea/service-keys' > /etc/ssh/sshd_config.d/50-others.conf
adapted() {{
  sed -e 's|/opt/edge-fea/bin/edge-fea|{folder}/edge-fea|' \
    -e 's|/var/cache/edge-fea-clinician|{folder}/cache|' {root}/deploy/sshd/$1
}}
adapted 60-edge-fea.conf > /etc/ssh/sshd_config.d/60-edge-fea.conf
adapted pam-edge-fea > /etc/pam.d/edge-fea
# Containers cannot set a login uid.
sed -i 's/required *pam_loginuid/optional pam_loginuid/' /etc/pam.d/sshd
echo '@include edge-fea' >> /etc/pam.d/sshd
mkdir -p /run/sshd
chown -R edge-fea:edge-fea {folder}/data
echo ready
exec sleep infinity
"""


def copy_whole(source: str, target: str) -> None:
    """A file with its mode, times and owner."""
    shutil.copy2(source, target)
    about = Path(source).stat()
    os.chown(target, about.st_uid, about.st_gid)


def reach(folder: Path) -> Iterator[str]:
    """Mounts that let every account reach Python and this repository, wherever they are."""
    closed: dict[Path, list[Path]] = {}
    for path in {Path(sys.base_prefix), Path(sys.prefix), ROOT}:
        above = [each for each in reversed(path.parents) if not each.stat().st_mode & 0o001]
        if above:
            closed.setdefault(above[0], []).append(path)
    for number, (top, paths) in enumerate(closed.items()):
        for place, path in enumerate(paths):
            yield f"mkdir {folder}/kept-{number}-{place}"
            yield f"mount --bind {path} {folder}/kept-{number}-{place}"
        yield f"mount -t tmpfs -o mode=755 none {top}"
        for place, path in enumerate(paths):
            yield f"mkdir -p {path}"
            yield f"mount --bind {folder}/kept-{number}-{place} {path}"


def write_video(path: Path, stage: DemoSource) -> None:
    """Nobody in the room for an hour, one frame a second."""
    picture = stage.draw(Scene("no_face", 1, places=()), 0.0, 0)
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), fourcc, 1, picture.shape[::-1], isColor=False)
    for _ in range(3600):
        writer.write(picture)
    writer.release()


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
    return port
