# SPDX-License-Identifier: Apache-2.0
"""The closed form against the minimum of the loss itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.optimize import minimize_scalar
from scipy.special import expit

from tomobundles.losses import AsymmetricLoss, AsymmetricPosterior
from tomobundles.utils import InputError

SETTINGS = [(1, 4, 0.05), (0, 4, 0.05), (0, 2, 0.01)]
POSTERIORS = (np.arange(100) + 0.5) / 100


def named(settings: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("gamma_pos", "gamma_neg", "clip"), settings, strict=True))


def best_score(loss: AsymmetricLoss, posterior: float) -> float:
    """The score at which q L+ + (1 - q) L- is least, by search over the logit, from the loss's own values."""

    def expected(logit: float) -> float:
        logits = torch.full((1, 1), logit, dtype=torch.float64)
        present, absent = (loss.entries(logits, torch.full_like(logits, y)).item() for y in (1.0, 0.0))
        return posterior * present + (1 - posterior) * absent

    found = minimize_scalar(expected, bounds=(-12.0, 25.0), method="bounded", options={"xatol": 1e-7})
    return float(expit(found.x))


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_minimum_of_the_expected_loss_is_at_the_closed_form(settings: tuple) -> None:
    loss, posterior = AsymmetricLoss(**named(settings)), AsymmetricPosterior(**named(settings))
    scores = np.array([best_score(loss, q) for q in POSTERIORS])
    highest = posterior(1.0)  # below 1 where gamma_pos is 0: from there on the best score is 1
    reached = highest > POSTERIORS
    assert reached.sum() >= 96
    np.testing.assert_allclose(posterior(scores[reached]), POSTERIORS[reached], atol=2e-5)
    np.testing.assert_allclose(posterior.inverse(POSTERIORS), scores, atol=2e-5)
    np.testing.assert_allclose(scores[~reached], 1.0, atol=1e-9)


@pytest.mark.parametrize("detach_weight", [False, True])
@pytest.mark.parametrize("settings", [*SETTINGS, (2, 3, 0.0), (0.5, 0.5, 0.1)])
def test_there_the_expected_gradient_is_zero(settings: tuple, detach_weight: bool) -> None:
    # with detached weights nothing is minimised, but training still stops where the gradients cancel
    options = named(settings) | {"detach_weight": detach_weight}
    logits = torch.linspace(-1.5, 6, 40, dtype=torch.float64).requires_grad_()
    loss = AsymmetricLoss(**options)
    present, absent = (
        torch.autograd.grad(loss.entries(logits, torch.full_like(logits, y)).sum(), logits)[0]
        for y in (1.0, 0.0)
    )
    q = AsymmetricPosterior(**options)(logits.detach().sigmoid())
    torch.testing.assert_close(q * present, -(1 - q) * absent, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "score", "expected"),
    [  # each a division by hand: (1, 4, .05) at .5 is (.0746 + .2179) / (.0746 + .2179 + 1 + .6931)
        ((1, 4, 0.05), 0.5, 0.14729),
        ((1, 4, 0.05), 0.2, 0.00050),
        ((1, 4, 0.05), 0.8, 0.88398),
        ((0, 4, 0.05), 0.5, 0.12758),
        ((0, 2, 0.01), 0.5, 0.36116),
        ((2, 2, 0), 0.5, 0.5),
        ((0, 0, 0), 0.3, 0.3),
    ],
)
def test_known_values(settings: tuple, score: float, expected: float) -> None:
    assert AsymmetricPosterior(**named(settings))(score) == pytest.approx(expected, abs=6e-6)


def test_limits() -> None:
    assert AsymmetricPosterior()(np.array([0.0, 0.05, 1.0])).tolist() == [0, 0, 1]
    assert AsymmetricPosterior(clip=0)(np.array([0.0, 1.0])).tolist() == [0, 1]
    # gamma_pos 0 with a margin: s(0, 0) = 1, s(.95, 4) = .95^4/.05 - 4 * .95^3 ln .05 = 26.5641
    assert AsymmetricPosterior(gamma_pos=0)(1.0) == pytest.approx(26.5641 / 27.5641, abs=1e-6)


@pytest.mark.parametrize("detach_weight", [False, True])
@pytest.mark.parametrize("settings", [*SETTINGS, (2, 0.5, 0.2), (0.3, 0, 0.05), (0, 0, 0)])
def test_it_grows_with_the_score(settings: tuple, detach_weight: bool) -> None:
    posterior = AsymmetricPosterior(**named(settings), detach_weight=detach_weight)
    q = posterior(torch.linspace(0, 1, 2001, dtype=torch.float64))
    steps = q.diff()
    assert (steps >= 0).all()
    assert (steps[int(2000 * settings[2]) + 1 :] > 0).all()
    assert 0 <= q.min() <= q.max() <= 1


@pytest.mark.parametrize("settings", [*SETTINGS, (0, 0, 0)])
def test_the_inverse_undoes_it(settings: tuple) -> None:
    posterior = AsymmetricPosterior(**named(settings))
    scores = torch.linspace(settings[2], 1, 50, dtype=torch.float64)
    torch.testing.assert_close(posterior.inverse(posterior(scores)), scores, atol=1e-4, rtol=0)
    torch.testing.assert_close(posterior(posterior.inverse(posterior(scores))), posterior(scores))


def test_the_inverse_at_the_ends() -> None:
    ends = np.array([0.0, 1.0])
    np.testing.assert_allclose(AsymmetricPosterior().inverse(ends), [0.05, 1], atol=1e-5)
    assert AsymmetricPosterior(gamma_pos=0).inverse(0.98) == 1.0


def test_kinds_and_types_are_kept() -> None:
    posterior = AsymmetricPosterior()
    scores = torch.tensor([[0.5, float("nan")]])
    result = posterior(scores)
    assert result.dtype == torch.float32
    assert result.isnan().tolist() == posterior.inverse(scores).isnan().tolist() == [[False, True]]
    assert isinstance(posterior(MetaTensor(scores)), MetaTensor)
    assert posterior(scores.numpy()).dtype == np.float32
    assert posterior(torch.tensor([0, 1])).dtype == torch.float32
    assert posterior(np.array([0, 1])).tolist() == [0.0, 1.0]
    assert isinstance(posterior(1), float)
    assert posterior(torch.zeros(0)).shape == (0,)


@pytest.mark.parametrize("method", ["__call__", "inverse"])
@pytest.mark.parametrize("value", [-0.1, 2.5])
def test_logits_are_refused(method: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"s from {min(value, 0.5):g} to .* are not all in \[0, 1\]"):
        getattr(AsymmetricPosterior(), method)(np.array([value, 0.5]))


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="clip is 2"):
        AsymmetricPosterior(clip=2)


def test_scores_of_a_trained_network_become_posteriors() -> None:
    # labels drawn with known posteriors sigmoid(2 x - 2); a small network trained with the loss on them
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 1, generator=generator)
    truth = torch.sigmoid(2 * x - 2)
    label = (torch.rand(truth.shape, generator=generator) < truth).float()
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    loss = AsymmetricLoss(reduction="mean")
    for _ in range(300):
        optimizer.zero_grad()
        loss({"logits": network(x)}, label).backward()
        optimizer.step()
    score = network(x).sigmoid().detach()
    assert (score - truth).abs().mean() > 0.2
    assert (AsymmetricPosterior()(score) - truth).abs().mean() < 0.02
