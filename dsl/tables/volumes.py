"""Members that the volumes of several targets have."""

from __future__ import annotations

from .rows import SettingRow
from .settings import MIB, TIB

READ_ONLY = SettingRow("read_only", "bool", False, "nobody writes there", aliases=("readonly",))
MOUNT = SettingRow(
    "path",
    "string",
    None,
    "where it is mounted",
    rule="mount",
    required=True,
    aliases=("mount_path", "mountpath", "mount"),
)
MEMORY = SettingRow("memory", "size", None, "empty memory of this size", least=MIB, most=1024 * TIB, aliases=("tmpfs",))
