# SPDX-License-Identifier: Apache-2.0
"""A surface that can be turned with the mouse: plotly's mesh, as a script for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .colors import CLASS_COLORS
from .surfaces import Surface

_LIGHT = {"ambient": 0.45, "diffuse": 0.8, "specular": 0.15, "roughness": 0.6}
# plotly 4 offers a button that sends the chart to its maker's server unless told not to
_CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "scrollZoom": True,
}


def plotly_script() -> str:
    """Return plotly.js itself, 5 MB, which comes with the plotly package; nothing is downloaded."""
    from plotly.offline import get_plotlyjs  # slow to import, and only pages need it

    return get_plotlyjs().replace("</script", "<\\/script")  # else the page would end the script there


def view_script(surfaces: Mapping[str, Surface], *, target: str) -> str:
    """Return the script that draws surfaces into an element of the page.

    Args:
        surfaces: name in the legend -> surface; a click on the name hides it. The first is coloured by its
            ``values`` where it has some, others by a colour each, half transparent.
        target: the element's id.
    """
    from plotly.graph_objects import Figure

    traces = [_mesh(name, surface, place) for place, (name, surface) in enumerate(surfaces.items())]
    unit = "um" if any(surface.unit == "um" for surface in surfaces.values()) else "voxels"
    figure = Figure(data=traces, layout=_layout(unit))
    # "<" only occurs inside JSON's strings, where it can be written so that no text ends the script
    content = figure.to_json().replace("<", "\\u003c")
    return f'Plotly.newPlot("{target}", {{...{content}, config: {json.dumps(_CONFIG)}}});'


def _mesh(name: str, surface: Surface, place: int) -> Any:
    from plotly.graph_objects import Mesh3d

    color = {"color": "rgb({}, {}, {})".format(*CLASS_COLORS[(1, 0, 2)[place % 3]])}
    if place == 0 and surface.values is not None:
        color = {
            "intensity": surface.values.astype(np.float32),
            "colorscale": "Viridis",
            "cmax": float(np.percentile(surface.values, 99)) if surface.values.size else 1.0,
            "cmin": 0.0,
            "colorbar": {"title": {"text": surface.value_name}, "len": 0.6},
        }
    x, y, z = np.ascontiguousarray(surface.vertices.T)
    i, j, k = np.ascontiguousarray(surface.faces.T.astype(np.int32))
    return Mesh3d(
        x=x,
        y=y,
        z=z,
        i=i,
        j=j,
        k=k,
        name=name,
        showlegend=True,
        opacity=1.0 if place == 0 else 0.4,
        lighting=_LIGHT,
        hoverinfo="skip" if place else "x+y+z",
        **color,
    )


def _layout(unit: str) -> dict[str, Any]:
    axes = {f"{axis}axis": {"title": {"text": f"{axis} ({unit})"}, "showbackground": False} for axis in "xyz"}
    axes["yaxis"]["autorange"] = "reversed"  # rows run downwards in the slices
    return {
        "scene": {"aspectmode": "data", "dragmode": "orbit", **axes},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "legend": {"x": 0.01, "y": 0.99},
        "template": "none",
    }
