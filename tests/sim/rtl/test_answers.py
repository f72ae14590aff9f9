"""What a simulation answered lies beside its design, belongs to it, and is bounded."""

import numpy as np
import pytest

from hw.util.errors import DataError, ToolFailed
from sim import model, rtl
from sim.rtl import answers
from sim.rtl.answers import FILE_NAME, Answers, load, save
from sim.rtl.verify import verify


def test_answers_of_a_verification(fake_design, tiny_images):
    fake_design.errors[2] = 7
    verify(fake_design.design, fake_design.artifact, tiny_images, np.arange(6) % 5)
    found = load(fake_design.design)
    expected = model.run(fake_design.artifact, tiny_images)
    expected[2, 2] += 7
    np.testing.assert_array_equal(found.scores, expected)
    np.testing.assert_array_equal(found.images, tiny_images)
    np.testing.assert_array_equal(found.labels, np.arange(6) % 5)
    np.testing.assert_array_equal(found.chosen, expected.argmax(axis=1))


def test_a_run_that_fails_leaves_none(fake_design, tiny_images, monkeypatch):
    verify(fake_design.design, fake_design.artifact, tiny_images)
    assert load(fake_design.design).labels is None

    def fail(*given, **more):
        raise ToolFailed("no")

    monkeypatch.setattr(rtl, "simulate", fail)
    with pytest.raises(ToolFailed):
        verify(fake_design.design, fake_design.artifact, tiny_images)
    assert not (fake_design.design / FILE_NAME).exists()


def test_another_design_or_a_damaged_file_has_none(fake_design):
    design, scores, images = fake_design.design, np.zeros((3, 5), np.int32), np.zeros((3, 2, 2), np.uint8)
    assert load(design) is None
    save(design, images, scores, None)
    assert load(design).images.shape == (3, 1, 2, 2)
    content = (design / FILE_NAME).read_bytes()
    (design / FILE_NAME).write_bytes(content[: len(content) // 2])
    assert load(design) is None
    np.savez(design / FILE_NAME, header=np.frombuffer(b"{}", np.uint8), scores=scores, images=images[:, None])
    assert load(design) is None, "it names no design"


def test_no_more_images_are_kept_than_a_page_needs(fake_design, monkeypatch):
    monkeypatch.setattr(answers, "MOST_BYTES", 40)
    save(fake_design.design, np.zeros((9, 1, 4, 4), np.uint8), np.zeros((9, 5), np.int32), np.zeros(9))
    found = load(fake_design.design)
    assert len(found.images) == 2 and len(found.scores) == len(found.labels) == 9


def test_what_does_not_belong_together_is_refused():
    scores, images = np.zeros((2, 5), np.int32), np.zeros((2, 1, 4, 4), np.uint8)
    three = np.zeros(3, np.int64)
    for given in ((scores[:1], images, None), (scores, images, three), (scores[0], images, None)):
        with pytest.raises(DataError):
            Answers(*given)
