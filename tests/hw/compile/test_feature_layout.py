"""Where maps lie: no two rows in one place, and none beside the lines that a batch takes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.compile.feature_layout import FeatureLayout
from hw.compile.lane_layout import GroupWork, lane_layout
from hw.contract.network import Conv


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_rows_of_a_batch_have_positions_of_their_own(data):
    images = data.draw(st.integers(1, 5), "images")
    packing = images * data.draw(st.integers(1, 3), "slots of an image")
    interleave, padding = (
        data.draw(st.sampled_from([4, 6, 8]), "interleave"),
        data.draw(st.integers(0, 2), "padding"),
    )
    most = packing // images * interleave - padding if images > 1 else 40
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, most), "height"), 5)
    plan = FeatureLayout(shape, 7, 1, packing, 8, interleave, padding, images=images)
    batch = data.draw(st.integers(1, 9), "batch")
    positions = set()
    for image in range(batch):
        first_line, first_slot = plan.image_position(image)
        for channel in range(shape[0]):
            for y in range(shape[1]):
                line, slot = plan.position(y)
                line += first_line + channel * plan.channel_lines
                assert 0 <= line < plan.batch_lines(batch) and first_slot + slot < packing
                positions.add((line, first_slot + slot))
    assert len(positions) == batch * shape[0] * shape[1]


@pytest.mark.parametrize(
    ("height", "padding", "batch", "lanes", "images"),
    [
        (4, 1, 8, 10, 8),  # one tile: all images at once
        (4, 1, 8, 5, 4),  # two groups of four lanes do as well as of five, with fewer lines to write
        (8, 1, 8, 10, 2),  # four tiles
        (4, 1, 1, 10, 1),
        (6, 1, 8, 10, 1),  # its last row lies in the next tile row's packing
        (16, 1, 8, 10, 1),  # nine tiles leave room for no second image
    ],
)
def test_images_lie_side_by_side_where_a_batch_gains(height, padding, batch, lanes, images):
    layer, work = Conv("c", 512, 64, 3, padding=padding), GroupWork(10_000, 1, batch)
    layout = lane_layout(layer, (512, height, height), lanes, 128, work)
    assert layout.images == images and layout.rows * layout.columns <= lanes
    if images > 1:
        tiles = layer.tiles((512, height, height))
        assert (layout.rows, layout.columns) == (images * tiles[0], tiles[1]) and layout.packed


def test_an_odd_batch_leaves_images_apart_where_outputs_bind():
    """Lane rows write one after another: of five images two by two take as long as six."""
    layer = Conv("c", 3, 512, 3, padding=1)
    found = [lane_layout(layer, (3, 8, 8), 10, 128, GroupWork(100, 1, batch)).images for batch in (4, 5)]
    assert found == [2, 1]
