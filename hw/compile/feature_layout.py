"""Where feature maps lie in feature memory."""

from __future__ import annotations

from dataclasses import dataclass

from hw.contract.network import Shape


@dataclass(frozen=True)
class FeatureLayout:
    """A feature map in feature memory.

    A wide map takes ``lines_per_row`` lines for each of its rows. A narrow one may lie in ``sections``
    of ``section_pixels``, so that one line holds a row for every lane row of the layer that reads it:
    padded row ρ = y + ``padding`` lies in section (ρ div ``period``) mod ``sections`` of line
    (ρ div (``sections`` · ``period``)) · ``period`` + ρ mod ``period``, padded column x + ``padding`` at
    that pixel of the section. Padding itself is never stored.

    The maps of ``images`` images may lie side by side, each in its part of the sections: image i of them is
    where rows from i · ``period`` · ``sections`` / ``images`` on would be.

    Of a map between layers that are made in bands only ``ring`` rows are kept (0: all), and row y lies where
    row y - ``ring`` lay.
    """

    shape: Shape
    base: int
    lines_per_row: int = 1
    sections: int = 1
    section_pixels: int = 0
    period: int = 1
    padding: int = 0
    ring: int = 0
    images: int = 1

    @property
    def image_sections(self) -> int:
        """Sections of an image."""
        return self.sections // self.images

    @property
    def channel_lines(self) -> int:
        """Lines of one channel."""
        if self.sections == 1:
            return (self.ring or self.shape[1]) * self.lines_per_row
        rows = self.image_sections * self.period
        return -(-(self.shape[1] + self.padding) // rows) * self.period

    def place(self, y: int) -> tuple[int, int]:
        """(line, section) of row ``y`` of the first image, from the first line of its channel."""
        if self.sections == 1:
            return (y % self.ring if self.ring else y) * self.lines_per_row, 0
        row = y + self.padding
        group, within = divmod(row, self.sections * self.period)
        section, phase = divmod(within, self.period)
        return group * self.period + phase, section

    @property
    def section_mask(self) -> int:
        """The pixels of a line that can lie inside the map, one bit each; all for a map without sections."""
        if self.sections == 1:
            return 0
        row = ((1 << self.shape[2]) - 1) << self.padding
        return sum(row << (s * self.section_pixels) for s in range(self.sections))

    def image_place(self, image: int) -> tuple[int, int]:
        """(line, section) of image ``image`` of a batch, from those of the first one."""
        stack, within = divmod(image, self.images)
        return stack * self.lines, within * self.image_sections

    @property
    def lines(self) -> int:
        """Lines of the maps that lie side by side, mostly of one image; what follows them lies behind."""
        return self.shape[0] * self.channel_lines

    def stacks(self, batch: int) -> int:
        """Sets of maps side by side that the maps of ``batch`` images are."""
        return -(-batch // self.images)

    def batch_lines(self, batch: int) -> int:
        """Lines of the maps of ``batch`` images."""
        return self.stacks(batch) * self.lines
