"""Where feature maps lie in feature memory."""

from __future__ import annotations

from dataclasses import dataclass

from hw.contract.network import Shape


@dataclass(frozen=True)
class FeatureLayout:
    """A feature map in feature memory, from line ``base`` on, channel after channel.

    A wide map takes ``lines_per_row`` lines for each of its rows::

        line 0   | row 0, first pixels       |
        line 1   | row 0, the rest        .. |
        line 2   | row 1, first pixels       |

    Rows of a narrow one may be packed: a line has ``packing`` slots of ``slot_pixels``, one for every lane
    row of the layer that reads the map. Rows go to the slots in turn, ``interleave`` at a time, counted with
    the ``padding`` rows above the map. With ``packing`` 2, ``interleave`` 3 and ``padding`` 1::

                   slot 0      slot 1
        line 0   | (padding) | row 2     |
        line 1   | row 0     | row 3     |
        line 2   | row 1     | row 4     |
        line 3   | row 5     | row 8     |
        line 4   | row 6     | row 9     |
        line 5   | row 7     | row 10    |

    Pixel x of a row is pixel x + ``padding`` of its slot. Padding itself is never stored.

    The maps of ``images`` images may be packed beside one another, each in as many of the slots. With
    ``images`` 2 and ``packing`` 4, image 0 has slots 0 and 1, image 1 slots 2 and 3 of the same lines; images
    2 and 3 follow in later lines.

    Of a map between layers that are made in row bands only ``ring`` rows are kept (0: all), and row y lies
    where row y - ``ring`` lay.

    A map may be some channels of what lies there: then ``pitch`` lines separate the maps of one image, or
    stack of images, from those of the next (0: as many as it takes itself).
    """

    shape: Shape
    base: int
    lines_per_row: int = 1
    packing: int = 1
    slot_pixels: int = 0
    interleave: int = 1
    padding: int = 0
    ring: int = 0
    images: int = 1
    pitch: int = 0

    @property
    def image_packing(self) -> int:
        """Slots of an image."""
        return self.packing // self.images

    @property
    def channel_lines(self) -> int:
        """Lines of one channel."""
        if self.packing == 1:
            return (self.ring or self.shape[1]) * self.lines_per_row
        rows = self.image_packing * self.interleave
        return -(-(self.shape[1] + self.padding) // rows) * self.interleave

    def position(self, y: int) -> tuple[int, int]:
        """(line, slot) of row ``y`` of the first image, from the first line of its channel."""
        if self.packing == 1:
            return (y % self.ring if self.ring else y) * self.lines_per_row, 0
        group, within = divmod(y + self.padding, self.packing * self.interleave)
        slot, phase = divmod(within, self.interleave)
        return group * self.interleave + phase, slot

    @property
    def pixel_mask(self) -> int:
        """The pixels of a line that can lie inside a packed map, one bit each; 0 for others: all can."""
        if self.packing == 1:
            return 0
        row = ((1 << self.shape[2]) - 1) << self.padding
        return sum(row << (slot * self.slot_pixels) for slot in range(self.packing))

    def image_position(self, image: int) -> tuple[int, int]:
        """(line, slot) of image ``image`` of a batch, from those of the first one."""
        stack, within = divmod(image, self.images)
        return stack * self.stack_lines, within * self.image_packing

    @property
    def lines(self) -> int:
        """Lines of the maps that are packed beside one another, mostly of one image."""
        return self.shape[0] * self.channel_lines

    @property
    def stack_lines(self) -> int:
        """Lines from such maps to the next ones."""
        return self.pitch or self.lines

    def stacks(self, batch: int) -> int:
        """Sets of maps beside one another that the maps of ``batch`` images are."""
        return -(-batch // self.images)

    def batch_lines(self, batch: int) -> int:
        """Lines of the maps of ``batch`` images."""
        return self.stacks(batch) * self.lines
