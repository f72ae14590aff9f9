"""The command that prunes recurrent networks: its rows, and that none is trained twice."""

import json

import numpy as np
import pytest

from pruning.data import mnist
from pruning.data.image_set import ImageSet
from pruning.training import row_digits


@pytest.fixture
def few(monkeypatch):
    """Digits of two kinds that a row tells apart, and an epoch each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 256).astype(np.uint8)
    images = np.zeros((256, 1, 28, 28), np.uint8)
    images[:, :, 27] = labels[:, None, None] * 200
    data = ImageSet(images[:192], labels[:192], images[192:], labels[192:], "few")
    monkeypatch.setattr(mnist, "load", lambda folder: data)
    for name, value in {"DENSE": 9, "PULLED": 2, "FIXED": 1, "BATCH": 16, "UNITS": 16, "OFTEN": 1}.items():
        monkeypatch.setattr(row_digits, name, value)


def test_rows_are_kept_and_shown(few, tmp_path, capsys, monkeypatch):
    out = tmp_path / "rows.json"
    arguments = ["--seeds", "2", "--out", str(out)]
    trained = []
    train = row_digits.train

    def counted(kind, data, seed, wanted):
        trained.append((kind, seed))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return train(kind, data, seed, wanted)

    monkeypatch.setattr(row_digits, "train", counted)
    with pytest.raises(KeyboardInterrupt):
        row_digits.main(arguments)
    assert list(json.loads(out.read_text())["few"]) == ["lstm/0", "lstm/1"]
    assert row_digits.main(arguments) == 0
    assert trained == [("lstm", 0), ("lstm", 1), ("gru", 0), ("gru", 0), ("gru", 1)]
    rows = json.loads(out.read_text())["few"]
    assert set(rows["gru/1"]) == {
        "dense",
        *(f"1 of {n}, {kind}" for n in (4, 8) for kind in row_digits.PATTERNS),
    }
    assert min(row["dense"] for row in rows.values()) == 100
    text = capsys.readouterr().out
    assert text.count("100.00 ± 0.00") >= 2 and "1 of 8, block" in text and text.count("lstm") == 7
