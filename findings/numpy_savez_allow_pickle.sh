#!/usr/bin/env bash
# np.savez(file, allow_pickle=False, ...) writes an array called allow_pickle before numpy 2.2, and guards nothing.
#
# numpy 2.1.3 and 2.2.0 (numpy/lib/_npyio_impl.py). np.load and np.save have long had the keyword; savez takes any
# keyword as the name of an array, and had none of its own until 2.2. With an older release the call that is meant
# to refuse objects says nothing: it adds a member allow_pickle.npy to the archive and pickles objects as ever. So
# a program that is developed with 2.2 and allows numpy>=2.0 writes other files for some of its users, which a
# reader that knows its arrays refuses. The way round: no keyword, and a look at the dtypes first.
#
# Seen:
#     2.1.3: a,allow_pickle; objects: pickled
#     2.2.0: a; objects: ValueError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat > "$folder/look.py" <<'END'
import io

import numpy as np


def saved(array):
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, a=array)
    return file


names = ",".join(sorted(np.load(io.BytesIO(saved(np.arange(3)).getvalue())).files))
try:
    text = saved(np.array([{}])).getvalue()
    objects = "pickled" if b"\x80" in text else "left out"
except ValueError:
    objects = "ValueError"
print(f"{np.__version__}: {names}; objects: {objects}")
END
seen=""
for release in 2.1.3 2.2.0; do
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numpy==$release"
  seen+="$("$folder/venv/bin/python" "$folder/look.py")"$'\n'
done
printf '%s' "$seen"
test "$seen" = $'2.1.3: a,allow_pickle; objects: pickled\n2.2.0: a; objects: ValueError\n'
