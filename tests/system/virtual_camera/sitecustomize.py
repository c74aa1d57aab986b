"""Lets picamera2 open libcamera's virtual camera. For tests; found by PYTHONPATH.

edge-fea is not touched: it imports picamera2 as ever. Three things are then put right in which this
camera is not like a Pi's: there is no display library, which picamera2 imports without using it; no
list of raw modes; and buffers must be told as two planes.
"""

import importlib.abc
import importlib.machinery
import sys
import types
from typing import Any


class _WhenImported(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds picamera2 where it is, and adapts it once it is imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != "picamera2":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            self._loader = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        _stand_in_for_pykms()
        module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _adapt(module.Picamera2)


def _stand_in_for_pykms() -> None:
    """Only the preview on a display uses it, beyond the names of its pixel formats."""
    pykms = types.ModuleType("pykms")
    formats = type("PixelFormat", (), {"__getattr__": lambda self, name: name})
    pykms.PixelFormat = formats()  # type: ignore[attr-defined]
    sys.modules["kms"] = None  # type: ignore[assignment]
    sys.modules["pykms"] = pykms


def _adapt(picamera2: Any) -> None:
    import libcamera
    from picamera2.allocators import DmaAllocator

    class TwoPlanes(DmaAllocator):  # type: ignore[misc]
        """picamera2's own allocator, whose buffers are told as luma and chroma.

        The virtual camera fills as many planes as its NV12 has; picamera2 makes one of them.
        """

        def allocate(self, configuration: Any, use_case: Any) -> None:
            super().allocate(configuration, use_case)
            for stream in configuration:
                luma = stream.stride * stream.size.height
                buffers = []
                for single in self.frame_buffers[stream.stream]:
                    fd = single.planes[0].fd
                    planes = [libcamera.FrameBuffer.Plane() for _ in range(2)]
                    for plane, offset, end in zip(
                        planes, (0, luma), (luma, stream.frame_size), strict=True
                    ):
                        plane.fd, plane.offset, plane.length = fd, offset, end - offset
                    double = libcamera.FrameBuffer(planes)
                    self.mapped_buffers[double] = self.mapped_buffers.pop(single)
                    del self.mapped_buffers_used[fd]
                    self.libcamera_fds.remove(fd)
                    # A plane holds a duplicate of the descriptor that it was given.
                    own = double.planes[0].fd
                    self.mapped_buffers_used[own] = False
                    self.libcamera_fds.append(own)
                    buffers.append(double)
                self.frame_buffers[stream.stream] = buffers

    def raw_modes(self: Any) -> list[dict[str, Any]]:
        """The virtual camera has no raw stream to ask for: its usual one stands in."""
        usual = self.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0)
        return [{"format": str(usual.pixel_format), "size": (usual.size.width, usual.size.height)}]

    original = picamera2.__init__

    def opened(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **{"allocator": TwoPlanes(), **named})

    picamera2.__init__ = opened
    picamera2._get_raw_modes = raw_modes


sys.meta_path.insert(0, _WhenImported())
