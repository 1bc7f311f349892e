# SPDX-License-Identifier: Apache-2.0
from torch import nn

from tomobundles.inferers.bare_network import bare_network


def test_wrappers_are_taken_off():
    network = nn.Linear(1, 1)
    assert bare_network(network) is network
    assert bare_network(nn.DataParallel(nn.DataParallel(network))) is network
    compiled = type("Compiled", (), {"_orig_mod": network})()
    assert bare_network(compiled) is network
    assert bare_network(len) is len
