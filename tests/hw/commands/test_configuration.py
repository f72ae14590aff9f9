"""The array that options describe."""

import pytest

from hw.commands.configuration import configure
from hw.contract.config import AcceleratorConfig
from hw.util.errors import ConfigError


def test_a_batch_that_nobody_chose_is_no_larger_than_the_lanes(tmp_path):
    assert configure(lanes=2).batch == 2 and configure(lanes=8).batch == configure().batch == 4
    assert configure(usual=AcceleratorConfig(lanes=4, batch=1), lanes=3).batch == 1
    with pytest.raises(ConfigError, match="raise lanes"):
        configure(lanes=2, batch=4)
    file = tmp_path / "config.json"  # what it says is a choice
    file.write_text('{"config": {"lanes": 4, "batch": 4}}')
    with pytest.raises(ConfigError, match="raise lanes"):
        configure(file, lanes=2)
