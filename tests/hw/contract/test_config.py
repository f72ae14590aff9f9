"""A configuration goes through its file unchanged; anything else in one is refused."""

import json
from dataclasses import asdict

import pytest

from hw.contract.config import STREAM_BITS, AcceleratorConfig, load_config, save_config
from hw.util.errors import ConfigError


def test_what_is_saved_is_loaded(tmp_path):
    config = AcceleratorConfig(64, 10, 1, 64, 49_152, True, 1024, 2, 8192)
    path = save_config(config, tmp_path / "deep" / "config.json", network="vgg16")
    assert AcceleratorConfig(**load_config(path)) == config
    assert json.loads(path.read_text())["network"] == "vgg16"


def test_a_design_is_a_configuration_too(fake_design):
    found = load_config(fake_design.design / "design.json")
    assert AcceleratorConfig(**found) == fake_design.info.config
    left_out = {"stream_bits", "feature_memory", "spectrum_memory"}
    assert list(found) == [name for name in asdict(fake_design.info.config) if name not in left_out]


def test_only_streams_wider_than_ever_are_written(tmp_path):
    for bits in STREAM_BITS:
        config = AcceleratorConfig(stream_bits=bits)
        path = save_config(config, tmp_path / "config.json")
        assert AcceleratorConfig(**load_config(path)) == config
        assert ("stream_bits" in path.read_text()) == (bits != 32)
    assert config.stream_pixels == 32


@pytest.mark.parametrize("line", [8, 16, 32, 64])
def test_a_beat_is_at_most_a_line(line):
    for bits in STREAM_BITS:
        if bits <= 8 * line:
            AcceleratorConfig(line_pixels=line, stream_bits=bits)
            continue
        with pytest.raises(ConfigError, match=f"more than the {line} .* lower stream_bits to {8 * line}, or"):
            AcceleratorConfig(line_pixels=line, stream_bits=bits)
    with pytest.raises(ConfigError, match="stream_bits must be one of 32, 64, 128, 256, not 96"):
        AcceleratorConfig(stream_bits=96)


@pytest.mark.parametrize("name", ["feature_memory", "spectrum_memory"])
def test_the_kind_of_a_memory_is_kept_where_it_is_not_block_ram(tmp_path, name):
    """Files of designs with block RAM are what they were before there was a choice."""
    for kind in ("block", "ultra"):
        path = save_config(AcceleratorConfig(**{name: kind}), tmp_path / f"{kind}.json")
        assert (name in path.read_text()) == (kind == "ultra")
        assert AcceleratorConfig(**load_config(path)) == AcceleratorConfig(**{name: kind})
    with pytest.raises(ConfigError, match=f"{name} must be block or ultra, not 'uram'"):
        AcceleratorConfig(**{name: "uram"})


def test_a_part_of_the_parameters_is_enough(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"config": {"lanes": 7}}')
    assert load_config(path) == {"lanes": 7}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read the configuration .*spec2 explore"),
        ("{", "is damaged"),
        ("[" * 50_000, "is damaged"),
        ('{"config": {"rows": NaN}}', "is damaged"),
        ('{"config": {"rows": 8.0}}', "rows must be of type int, not 8.0"),
        ("[]", "holds no configuration"),
        ('{"rows": 8}', "holds no configuration"),
        ('{"config": {"row": 8}}', "there is no parameter 'row': known are rows, lanes"),
        ('{"config": {"rows": "8"}}', "rows must be of type int, not '8'"),
        ('{"config": {"rows": true}}', "rows must be of type int, not True"),
        ('{"config": {"stream_weights": 1}}', "stream_weights must be of type bool, not 1"),
    ],
)
def test_refuses(tmp_path, text, message):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


@pytest.mark.parametrize("name", list(asdict(AcceleratorConfig())))
@pytest.mark.parametrize("value", ["8", 8.0, None, [8], -8, 10**30, float("nan")], ids=repr)
def test_every_parameter_is_of_its_type_and_within_reason(name, value):
    with pytest.raises(ConfigError, match=name):
        AcceleratorConfig(**{name: value})


@pytest.mark.parametrize("value", [True, False])
def test_a_number_is_no_switch(value):
    for name in ("rows", "lanes", "memories"):
        with pytest.raises(ConfigError, match=f"{name}: expected int, got bool"):
            AcceleratorConfig(**{name: value})
    for number in (0, 1):
        with pytest.raises(ConfigError, match="stream_weights: expected bool, got int"):
            AcceleratorConfig(stream_weights=number)
