"""What every command starts from: the data folder, how to print, the plan and the services of this process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kinora.bootstrap import build
from kinora.errors import NotFound
from kinora.local.environment import local_settings
from kinora.local.plan import Plan
from kinora.local.reading import find_template, read_plan
from kinora.services import Services


@dataclass(frozen=True, slots=True)
class Context:
    """`data` is absolute. With `as_json` every result is one JSON object on a line of its own."""

    data: Path
    as_json: bool
    template: str | None

    @property
    def database(self) -> Path:
        return self.data / "kinora.db"

    def plan(self) -> Plan:
        """Raises InvalidSetting."""
        return read_plan(find_template(self.template))

    def services(self) -> Services:
        """Of a data folder that exists. Raises NotFound, InvalidSetting."""
        if not self.database.exists():
            raise NotFound(f"no {self.database}", public_message=f"There is no Kinora data in {self.data}; see --data.")
        return build(local_settings(self.plan(), self.data, os.environ))

    def result(self, value: Mapping[str, object], text: str) -> None:
        """Print one result: `value` as JSON, or `text` for people."""
        print(json.dumps(value) if self.as_json else text)
        sys.stdout.flush()
