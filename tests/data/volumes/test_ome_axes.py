# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.volumes.ome_axes import OmeImage, read_multiscales
from tomobundles.utils import InputError

_SCALES = [
    {
        "axes": [{"name": "c"}, *({"name": letter, "unit": "millimeter"} for letter in "zyx")],
        "datasets": [
            {"path": "fine", "coordinateTransformations": [{"type": "scale", "scale": [1, 0.3, 0.2, 0.1]}]},
            {"path": "coarse", "coordinateTransformations": [{"type": "scale", "scale": [1, 0.6, 0.4, 0.2]}]},
        ],
    }
]


@pytest.mark.parametrize("attributes", [{"multiscales": _SCALES}, {"ome": {"multiscales": _SCALES}}])
def test_a_level_by_its_path(attributes):
    assert read_multiscales(attributes, path="a") == OmeImage(
        axes="czyx", level="fine", spacing_um=pytest.approx((300, 200, 100))
    )
    coarse = read_multiscales(attributes, path="a", level="coarse")
    assert (coarse.level, coarse.spacing_um) == ("coarse", pytest.approx((600, 400, 200)))
    with pytest.raises(InputError, match="no level '0': there are fine, coarse"):
        read_multiscales(attributes, path="a", level=0)


def test_no_image():
    with pytest.raises(InputError, match=r"no multiscales.*\n.*such as a/b"):
        read_multiscales({}, path="a", groups=lambda: ["b"])
