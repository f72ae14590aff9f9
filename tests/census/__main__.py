"""``make census``: which of the list are accepted, and all that is in the way of the others."""

from tests.census.census import judged
from tests.census.nets import NETS

found = [judged(name) for name in NETS]
for result in found:
    what = f"{result.layers} layers" if result.accepted else "refused"
    print(f"{result.name:42} {what:10} {result.says}")
print(f"{sum(result.accepted for result in found)} of {len(found)} accepted")
