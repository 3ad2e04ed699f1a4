"""libvips, set up for this process: no operation cache, few threads, and only loaders that its authors trust with hostile files.

Every room that uses libvips imports it from here. SVG is among the loaders; callers allow it or not by the sniffed type.
"""

from __future__ import annotations

import pyvips

__all__ = ["pyvips"]

pyvips.cache_set_max(0)
pyvips.concurrency_set(2)
pyvips.block_untrusted_set(True)
pyvips.operation_block_set("VipsForeignLoadSvg", False)
