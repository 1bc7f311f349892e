# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from monai.bundle.scripts import update_kwargs

from tomobundles.utils import InputError
from tomobundles.utils.overrides import check_overrides

CONFIG = {
    "epochs": 10,
    "resume": None,
    "learning_rate": 0.1,
    "optimizer": {"_target_": "torch.optim.Adam", "lr": "@learning_rate"},
    "train": {
        "handlers": [{"_target_": "StatsHandler"}],
        "loader": "@other",
        "flexible": {"_target_": "builtins.dict"},
        "keywords": {"_target_": "monai.data.DataLoader"},  # takes **kwargs
    },
}


@pytest.fixture
def run(tmp_path):
    """Check a command line made of the given arguments."""
    (tmp_path / "train.json").write_text(json.dumps(CONFIG))
    (tmp_path / "overlay.json").write_text(json.dumps({"extra": 1, "optimizer#betas": [0.9, 0.99]}))

    def call(*arguments, config=None):
        config = config or str(tmp_path / "train.json")
        check_overrides(
            ["/x/monai/bundle/__main__.py", "run", "training", "--config_file", config, *arguments]
        )

    call.files = f"['{tmp_path / 'train.json'}','{tmp_path / 'overlay.json'}']"
    return call


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--epochs", "5"),
        ("--epochs=5", "--meta_file", "m.json"),
        ("--optimizer#lr", "1"),
        ("--optimizer::weight_decay", "1"),  # not in the config, but an argument of Adam
        ("--train#handlers#0#iteration_log", "False"),
        ("--train#loader#batch_size", "2"),  # behind a reference
        ("--train#flexible#anything", "2"),
        ("--train#keywords#pin_memory", "True"),
        ("--epochs", "$None"),
        ("--tracking", "mlflow", "--tracking_uri", "sqlite:///runs.db", "--experiment_name", "x"),
        ("--tracking", "mlflow", "--run_name", "x", "--save_execute_config", "False"),
        ("--resume", "None"),  # dropped, and null as it was
    ],
)
def test_ids_that_exist_pass(run, arguments):
    run(*arguments)


@pytest.mark.parametrize("argument", ["--epochs", "--optimizer#lr", "--optimizer#weight_decay"])
def test_none_is_refused_since_monai_drops_it(run, argument):
    with pytest.raises(InputError, match=r"None: MONAI drops it") as caught:
        run(argument, "None")
    assert f"{argument} '$None'" in str(caught.value)


def test_monai_still_drops_none():
    assert update_kwargs({"epochs": 10}, epochs=None) == {"epochs": 10}


def test_ids_of_any_file_count(run):
    run("--extra", "2", "--optimizer#betas", "[0,0]", config=run.files)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--learning_rte", r"(?s)no id 'learning_rte'.*mean learning_rate\?"),
        ("--optimizr#lr", r"(?s)--optimizr#lr.*mean optimizer\?"),
        ("--optimizer#leaning_rate", "no id 'leaning_rate'"),
        ("--optimizer#weight_decy", r"mean weight_decay\?"),
        ("--train#handler", r"mean handlers\?"),
        ("--train#handlers#7#x", "no id '7'"),
        ("--zzz", "see the ids at the top"),
    ],
)
def test_ids_that_do_not_exist_are_refused(run, argument, message):
    with pytest.raises(InputError, match=message):
        run(argument, "1")


def test_other_programs_have_nothing_to_check():
    check_overrides(["pytest", "run", "--config_file", "x", "--nonsense", "1"])
    check_overrides(["/x/monai/bundle/__main__.py", "run", "--nonsense", "1"])
    check_overrides()
