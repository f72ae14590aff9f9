"""The makers and the judge of mutants, and the list of those that change nothing."""

import ast
import random
import sys
from pathlib import Path

import pytest

from tests.mutation import judge
from tests.mutation.__main__ import ROOT, files, known, sample, unit_tests
from tests.mutation.sites import mutated, sites

SOURCE = '''
LIMIT = 8

class Thing:
    latency = 2

    def elaborate(self, m, a: Array[3], b):
        """Text 5."""
        m.d.sync += [a.eq(Mux(b == 1, a + 1, ~a)), b.eq(a[2:])]
        with m.If(a < 3):
            m.d.comb += b.eq(1)
            m.next = "X"
        wide = Signal(4, reset_less=True, name="n1")
        return delay(m, a, self.latency, reset=True)
'''


def test_faults_of_every_kind_and_none_that_only_cost_logic(tmp_path):
    (tmp_path / "thing.py").write_text(SOURCE)
    found = sites(tmp_path, "thing.py")
    changes = {(one.before, one.after) for one in found}
    assert {
        ("LIMIT", "LIMIT"),
        ("8", "9"),
        ("b == 1", "b != 1"),
        ("a + 1", "a - 1"),
        ("~a", "a"),
        ("Mux(b == 1, a + 1, ~a)", "Mux(b == 1, ~a, a + 1)"),
        ("m.If(a < 3)", "m.If(~Cat(a < 3).any())"),
        ("a < 3", "a <= 3"),
        ("m.d.comb += b.eq(1)", "pass"),
        ("m.d.comb += b.eq(1)", "m.d.sync += b.eq(1)"),
        ("m.d.sync += [a.eq(Mux(b == 1, a + 1, ~a)), b.eq(a[2:])]", "m.d.sync += [b.eq(a[2:])]"),
        ("m.next = 'X'", "pass"),
        ("4", "3"),
        ("True", "False"),
    } - {("LIMIT", "LIMIT")} <= changes
    assert ("4", "5") not in changes, "a wider signal is no fault"
    assert not any("reset_less=False" in after or "Text" in after for _, after in changes)
    assert sum(one.before == "True" for one in found) == 1, "reset= alone"
    for site in found:
        text = ast.unparse(mutated(tmp_path, site))
        assert text != ast.unparse(ast.parse(SOURCE)), site
    assert (tmp_path / "thing.py").read_text() == SOURCE


def test_every_mutant_of_the_gateware_is_a_program():
    dice = random.Random(3)
    for file in files():
        every = sites(ROOT, file)
        for site in dice.sample(every, min(4, len(every))):
            compile(mutated(ROOT, site), file, "exec")


@pytest.mark.parametrize(
    ("before", "verdict"), [("reserved + self.reserve", judge.KILLED), ("next_full != 0", judge.KILLED)]
)
def test_a_mutant_is_found_and_gone(tmp_path, before, verdict):
    file = "hw/gateware/primitives/ping_pong.py"
    import hw.gateware.primitives.ping_pong  # noqa: F401

    site = next(one for one in sites(ROOT, file) if one.before == before)
    code = sys.modules["hw.gateware.primitives.ping_pong"].PingPong.elaborate.__code__
    tests = unit_tests(file)
    assert judge.judge(ROOT, site, tests, 60, tmp_path / "log")[0] == verdict, (tmp_path / "log").read_text()
    assert sys.modules["hw.gateware.primitives.ping_pong"].PingPong.elaborate.__code__ is code


def test_one_that_never_ends_is_stopped(tmp_path):
    def forever():
        while True:
            pass

    assert judge.forked(forever, 1, tmp_path / "log")[0] == judge.SLOW
    assert judge.forked(lambda: 0, 5, tmp_path / "log")[0] == judge.SURVIVED
    assert judge.forked(lambda: 7, 5, tmp_path / "log", {7: "seven"})[0] == "seven"


def test_every_file_has_tests_of_its_own():
    named = {file: [Path(test).name for test in unit_tests(file)] for file in files()}
    without = [file for file, names in named.items() if f"test_{Path(file).stem}.py" not in names]
    assert without == []


def test_what_is_called_equivalent_exists_and_has_a_reason():
    excused = known()
    for file in {key[0] for key in excused}:
        keys = {site.key for site in sites(ROOT, file)}
        stale = [key for key in excused if key[0] == file and key not in keys]
        assert stale == [], "no such mutant: take the entry out, or bring it up to date"
    assert all(len(reason) > 20 for reason in excused.values())


def test_a_sample_survives_a_change_elsewhere():
    every = [one for file in files()[:8] for one in sites(ROOT, file)]
    chosen = sample(every, 50, 1)
    assert len({id(one) for one in chosen}) == 50 and sample(every, 50, 2) != chosen
    assert set(map(id, sample(every[40:], 50, 1))) >= {id(one) for one in chosen if one in every[40:]}
