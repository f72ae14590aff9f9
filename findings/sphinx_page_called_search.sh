#!/usr/bin/env bash
# A page called search.md (or search.rst, genindex.rst) at the top of a Sphinx project is read, linked and
# indexed, and then replaced by Sphinx's own search page, without a word.
#
# Sphinx 8.2.3 (sphinx/builders/html/__init__.py: gen_additional_pages writes "search" behind all documents). With
# -W, -n and --keep-going the build ends with 0: the document is in the toctree, references to it and to its
# sections resolve, and its anchors are in objects.inv, so that other projects link to it. Only the file
# is another's. In a folder of its own (guide/search) the page stays. The way round: another name; a test that
# every page holds its own heading.
#
# Seen:
#     build ends with 0; own text in search.html 0, in genindex.html 0, in guide/search.html 1; anchors in objects.inv 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'sphinx==8.2.3'
mkdir -p "$folder/docs/guide"
cat > "$folder/docs/conf.py" <<'END'
project = "p"
html_theme = "basic"
END
cat > "$folder/docs/index.rst" <<'END'
Index
=====

See :doc:`search` and :ref:`codes`.

.. toctree::

   search
   genindex
   guide/search
END
for page in search genindex guide/search; do
  label=""; test "$page" != search || label=$'.. _codes:\n\n'
  printf '%sOur page\n========\n\nBinary codes of images.\n' "$label" > "$folder/docs/$page.rst"
done
code=0
"$folder/venv/bin/python" -m sphinx -W -n --keep-going -q -b html "$folder/docs" "$folder/out" || code=$?
text() { grep -c 'Binary codes of images' "$folder/out/$1" || true; }
labels=$("$folder/venv/bin/python" -m sphinx.ext.intersphinx "$folder/out/objects.inv" | grep -c 'search.html#codes' || true)
seen="build ends with $code; own text in search.html $(text search.html), in genindex.html $(text genindex.html), in guide/search.html $(text guide/search.html); anchors in objects.inv $labels"
echo "$seen"
test "$seen" = "build ends with 0; own text in search.html 0, in genindex.html 0, in guide/search.html 1; anchors in objects.inv 1"
