#!/usr/bin/env bash
# A thin-plate spline that moves nothing blurs the image by half a pixel in kornia before 0.9.
#
# get_tps_transform(points, points) is the identity, exactly. warp_image_tps() samples at a grid whose first and
# last points are pixel centres, but by default (align_corners=False) grid_sample takes them for the outer edges of
# the border's pixels: the result is another image. kornia 0.9 changed the default to True. The way
# round, in all releases: give align_corners=True. Largest difference to a random image of 32 x 32, 0 to 1:
#
#     kornia 0.8.2   by default 0.6 to 0.7   with align_corners=True 0.0
#     kornia 0.9.0   by default 0.0          with align_corners=True 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/rest.py" <<'PYTHON'
import torch
from kornia.geometry.transform import get_tps_transform, warp_image_tps

image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
points = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]])
spline = get_tps_transform(points, points)
for name, options in {"default": {}, "aligned": {"align_corners": True}}.items():
    moved = warp_image_tps(image, points, *spline, **options)
    print(name, f"{(moved - image).abs().max():.2f}")
PYTHON
python3 -m venv "$folder/venv"
for release in 0.8.2 0.9.0; do
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 "kornia==$release"
  echo "kornia $release"
  "$folder/venv/bin/python" -W ignore "$folder/rest.py" | tee "$folder/$release"
done
grep -qE '^default 0\.[1-9]' "$folder/0.8.2" && grep -qx 'aligned 0.00' "$folder/0.8.2"
[ "$(cat "$folder/0.9.0")" = $'default 0.00\naligned 0.00' ]
echo "as described"
