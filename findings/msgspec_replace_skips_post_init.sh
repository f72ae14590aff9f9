#!/usr/bin/env bash
# A msgspec.Struct whose values are checked in __post_init__ can be brought into any state by
# msgspec.structs.replace() before release 0.21: the constructor and convert() run the check, replace() does not.
# dataclasses.replace() has always run it. A lower bound of 0.19 let wrong configurations pass without a word.
#
# Seen with Python 3.11:
#     msgspec 0.20.0   structs.replace: nothing     (constructor, convert, dataclasses.replace: no clock)
#     msgspec 0.21.0   structs.replace: no clock
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/check.py" <<'PYTHON'
import dataclasses

import msgspec


class Clock(msgspec.Struct, frozen=True):
    mhz: int = 100

    def __post_init__(self):
        if self.mhz <= 0:
            raise ValueError("no clock")


@dataclasses.dataclass(frozen=True)
class Plain:
    mhz: int = 100
    __post_init__ = Clock.__post_init__


def said(make):
    try:
        make()
    except (ValueError, msgspec.ValidationError) as error:
        return str(error)
    return "nothing"


print("constructor:", said(lambda: Clock(-1)))
print("convert:", said(lambda: msgspec.convert({"mhz": -1}, Clock)))
print("structs.replace:", said(lambda: msgspec.structs.replace(Clock(), mhz=-1)))
print("dataclasses.replace:", said(lambda: dataclasses.replace(Plain(), mhz=-1)))
PYTHON
python3 -m venv "$folder/venv"
for release in 0.20.0 0.21.0; do
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "msgspec==$release"
  echo "msgspec $release"
  "$folder/venv/bin/python" "$folder/check.py" | tee "$folder/$release"
done
expected() { printf 'constructor: no clock\nconvert: no clock\nstructs.replace: %s\ndataclasses.replace: no clock\n' "$1"; }
diff <(expected nothing) "$folder/0.20.0"
diff <(expected "no clock") "$folder/0.21.0"
echo "as described"
