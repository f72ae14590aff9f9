"""The table of explored networks: what is chosen, and what binds."""

import json

from hw.contract.network import lenet, tiny
from hw.explore.device import Device
from hw.explore.lengths import Density
from hw.explore.objective import Objective
from hw.explore.report import report
from hw.explore.space import Space
from hw.explore.sweep import explore
from hw.explore.workload import UniformWorkload
from sim.report import networks_page

LABELS = {"dsp": "DSP slices", "bram36": "RAMB36 blocks", "lut": "LUTs", "ff": "flip-flops"}
DEVICE = Device("toy", 100e6, {"dsp": 300, "bram36": 150, "lut": 90_000, "ff": 200_000}, LABELS, 2e9)
SPACE = Space(rows=(8,), lanes=(1, 2), batches=(1,), weight_bits=(8,))


def test_a_page_gets_a_row_for_every_network(tmp_path, capsys):
    paths, shown = [], []
    for network in (tiny(), lenet()):
        data = report(explore(UniformWorkload(network, Density()), DEVICE, SPACE, Objective.latency))
        paths.append(tmp_path / f"{network.name}.json")
        paths[-1].write_text(json.dumps(data))
        shown.append(data["chosen"])
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{networks_page.BEGIN}\nold\n{networks_page.END}\n\nafter\n")
    assert networks_page.main([str(page), *map(str, paths)]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == ["| tiny", "| lenet"]
    for row, chosen in zip(rows, shown, strict=True):
        config = chosen["config"]
        assert row[1] == f"{config['rows']} × {config['lanes']}" and row[2] == f"{chosen['cycles']:,}"
        assert row[4] == f"{chosen['needs']['dsp']:,g}" and row[6] == "0"
        assert "%" in row[7] and "images in" not in row[7]
    assert networks_page.main([str(page), *map(str, paths)]) == 0 and page.read_text() == text

    (tmp_path / "broken.json").write_text('{"network": 1}')
    assert networks_page.main([str(page), str(tmp_path / "broken.json")]) == 2
    (tmp_path / "none.md").write_text("no marks")
    assert networks_page.main([str(tmp_path / "none.md"), str(paths[0])]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2 and networks_page.BEGIN in said and page.read_text() == text
