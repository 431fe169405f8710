"""The kinds of text, number and reference that fields are made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from ..rules import Part

Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A DNS label: what Kubernetes accepts as the name of most objects."""
ObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
"""A DNS subdomain: what Kubernetes accepts as the name of the other objects."""
Text = Annotated[str, StringConstraints(max_length=65536)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Revision = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^\S+$")]
Source = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
URL_PATTERN = r"^https?://[^/ ]+(/[^ ]*)?$"
GROUP_PATTERN = r"(^|[^\\])(\\\\)*\(([^?]|[?]P<)"
"""What every regular expression with a group holds; whether it compiles, Python alone can tell."""
UPWARDS_PATTERN = r"(^|/)[.][.](/|$)"
"""What no path may hold."""
Probability = Annotated[float, Field(ge=0, le=1)]


def _quantity(value: object) -> object:
    return str(value) if isinstance(value, int) else value


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    StringConstraints(max_length=32),
    WithJsonSchema({"x-kubernetes-int-or-string": True}),
]
Passthrough = Annotated[
    dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
]
"""An object of the Kubernetes API, handed to the pod as it is; the API server checks it when the Job is created."""


class KeyRef(Part):
    """A key of a Secret or a ConfigMap in the job's namespace."""

    name: ObjectName
    """Name of the object."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Key within it."""
