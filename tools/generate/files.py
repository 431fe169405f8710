"""Which files are generated, and what stands in them."""

from __future__ import annotations

from pathlib import Path

import yaml

from reasoning_contract.api import PLURAL

from .changing import changing_page
from .chart import chart_files
from .crd import crd
from .dashboards import dashboards
from .metrics import metrics_reference
from .pins import cpu_pins
from .reference import reference


def generated(root: Path) -> dict[Path, str]:
    """Return the text of every generated file, by its path under the repository's root."""
    header = "# Generated from trainer_image/reasoning_contract by `make generate`; do not edit.\n"
    manifest = header + yaml.safe_dump(crd(), sort_keys=False, width=120, allow_unicode=True)
    chart = root / "helm" / "reasoning-operator"
    boards = {chart / "files" / "dashboards" / f"{name}.json": text for name, text in dashboards().items()}
    return (
        boards
        | chart_files(chart)
        | {
            root / "crds" / f"{PLURAL}.yaml": manifest,
            chart / "files" / "crd.yaml": manifest,
            root / "docs" / "api.md": reference(),
            root / "docs" / "changing.md": changing_page(),
            root / "docs" / "metrics.md": metrics_reference(),
            root / "trainer_image" / "constraints-cpu.txt": cpu_pins(root),
        }
    )
