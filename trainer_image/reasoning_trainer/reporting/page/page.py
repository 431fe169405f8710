"""Puts the page together."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from reasoning_shared.words import duration

from .figures import Figures
from .sections import attempts, changed, charts, difficulty, models, prompts, shortened
from .verdict import percent, tone, verdict

TEMPLATE = "page.html.jinja"
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What a model may write and no HTML may hold."""


def page(figures: Figures) -> str:
    """Return the page: one HTML text that fetches nothing and runs no script. Every text of the run is escaped."""
    text = _template().render(
        run=figures,
        progress=figures.progress,
        verdict=verdict(figures),
        tone=tone(figures),
        models=models(figures),
        changed=changed(figures),
        charts=charts(figures),
        difficulty=difficulty(figures),
        prompts=prompts(figures),
        attempts=attempts(figures),
    )
    return UNPRINTABLE.sub("\ufffd", text)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "percent": percent, "shortened": shortened}
    return environment.get_template(TEMPLATE)
