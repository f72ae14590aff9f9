#!/usr/bin/env bash
# Whether Amaranth warns of a component that nobody elaborated depends on what was elaborated before it, and the
# warning is another test's.
#
# Amaranth 0.5.10, Python 3.11 (amaranth/_unused.py, amaranth/hdl/_ir.py). UnusedElaboratable is silent until the
# process elaborates something for the first time. An object keeps itself in the context of its own warning, so it
# is never freed when its last name goes: the cyclic collector finds it, whenever that runs. Where pytest turns
# warnings into errors, a test that makes a component to read a member of it passes alone and in a file of its
# kind; in a suite, a later test fails, which one depends on the collector's thresholds. The way round: elaborate
# anything at the start of a session, and gc.freeze() before each test, gc.collect() behind it.
#
# Seen:
#     nothing elaborated before: innocent PASSED,made PASSED
#     elaborated before, collected later: innocent FAILED,made PASSED
#     collected behind each test: innocent PASSED,made ERROR,made PASSED
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'amaranth==0.5.10' 'pytest==9.0.1'
cat > "$folder/test_alone.py" <<'END'
import gc

from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class Counter(wiring.Component):
    width: Out(8)


def test_made():
    assert len(Counter().width) == 8


def test_innocent():
    gc.collect()
END
{
    echo 'from amaranth.hdl import Fragment, Module'
    cat "$folder/test_alone.py"
    echo 'Fragment.get(Module(), None)'
} > "$folder/test_suite.py"
{
    cat "$folder/test_suite.py"
    cat <<'END'


import pytest


@pytest.fixture(autouse=True)
def collected():
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()
END
} > "$folder/test_collected.py"

outcomes() {
    "$folder/venv/bin/python" -m pytest -W error -rA --tb=no -p no:cacheprovider -q "$folder/$1.py" 2> /dev/null |
        sed -nE 's/^(PASSED|FAILED|ERROR) .*::test_([a-z]+).*/\2 \1/p' | sort | paste -sd, -
}

alone=$(outcomes test_alone || true)
suite=$(outcomes test_suite || true)
collected=$(outcomes test_collected || true)
echo "nothing elaborated before: $alone"
echo "elaborated before, collected later: $suite"
echo "collected behind each test: $collected"
[ "$alone" = "innocent PASSED,made PASSED" ] && [ "$suite" = "innocent FAILED,made PASSED" ] &&
    [ "$collected" = "innocent PASSED,made ERROR,made PASSED" ]
