"""Reports in the form in which Vivado writes them, with figures to choose."""

HEAD = """\
Copyright 1986-2022 Xilinx, Inc. All Rights Reserved. Copyright 2022-2023 Advanced Micro Devices, Inc.
---------------------------------------------------------------------------------------------------------
| Tool Version : Vivado v.{release} (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Date         : Mon Mar  4 10:20:30 2024
| Host         : farm running 64-bit Ubuntu 22.04.3 LTS
| Command      : {command}
| Design       : top
| Device       : 7vx690t-ffg1761
| Speed File   : -2  PRODUCTION 1.12 2014-09-11
| Design State : Routed
---------------------------------------------------------------------------------------------------------

"""

COLUMNS = (
    "{name}WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  "
    "THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  "
    "TPWS Total Endpoints  \n"
    "{dashes}-------      -------  ---------------------  -------------------      -------      -------  "
    "---------------------  -------------------     --------     --------  ----------------------  "
    "--------------------  \n"
)


def _row(name: str, wns: float, tns: float, failing: int, whs: float, wpws: float = 1.1) -> str:
    return (
        f"{name}{wns:>11.3f}{tns:>13.3f}{failing:>23}{51234:>21}{whs:>13.3f}{0.0:>13.3f}{0:>23}{51234:>21}"
        f"{wpws:>13.3f}{0.0:>13.3f}{0:>24}{20123:>22}  \n"
    )


def _title(title: str) -> str:
    rule = "-" * 96
    return f"\n{rule}\n| {title}\n| {'-' * len(title)}\n{rule}\n\n"


def timing(
    wns: float = 0.512, whs: float = 0.045, *, release: str = "2023.2", period: float = 5.0, wpws: float = 1.1
) -> str:
    """``report_timing_summary``: an oscillator of 5 ns, and the design's clock of ``period`` ns from it."""
    tns, failing = (0.0, 0) if wns >= 0 else (wns * 37, 37)
    met = "All user specified timing constraints are met." if min(wns, whs) >= 0 else (
        "Timing constraints are not met."
    )  # fmt: skip
    name = " " * 20
    columns = COLUMNS.format(name=f"{'Clock':<20}", dashes=f"{'-----':<20}")
    mhz = 1000 / period
    return "".join(
        [
            HEAD.format(release=release, command="report_timing_summary -file reports/timing.rpt"),
            "Timing Summary Report\n",
            _title("Timer Settings"),
            "  Enable Multi Corner Analysis               :  Yes\n",
            "check_timing report\n\nTable of Contents\n-----------------\n1. checking no_clock (0)\n",
            "2. checking constant_clock (0)\n",
            _title("Design Timing Summary"),
            COLUMNS.format(name="    ", dashes="    "),
            _row("", wns, tns, failing, whs, wpws),
            f"\n\n{met}\n\n",
            _title("Clock Summary"),
            "Clock         Waveform(ns)         Period(ns)      Frequency(MHz)\n",
            "-----         ------------         ----------      --------------\n",
            "oscillator    {0.000 2.500}        5.000           200.000         \n",
            "  feedback    {0.000 2.500}        5.000           200.000         \n",
            f"  made        {{0.000 {period / 2:.3f}}}        {period:.3f}           {mhz:.3f}         \n\n",
            _title("Intra Clock Table"),
            columns,
            f"oscillator{'':<130}{'1.100':>30}{'0.000':>13}{0:>24}{1:>22}  \n",
            f"  feedback{'':<130}{'3.929':>30}{'0.000':>13}{0:>24}{2:>22}  \n",
            _row("  made    " + name[10:], wns, tns, failing, whs, wpws),
            _title("Inter Clock Table"),
            "From Clock    To Clock          WNS(ns)      TNS(ns)\n",
            "----------    --------          -------      -------\n",
            "made          oscillator          9.000        0.000\n",
            _title("Timing Details"),
        ]
    )


SERIES7 = """\
1. Slice Logic
--------------

+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| Slice LUTs                 | 21345 |     0 |          0 |    433200 |  4.93 |
|   LUT as Logic             | 20123 |     0 |          0 |    433200 |  4.65 |
|   LUT as Memory            |  1222 |     0 |          0 |    174200 |  0.70 |
|     LUT as Distributed RAM |  1200 |     0 |            |           |       |
| Slice Registers            | 17083 |     0 |          0 |    866400 |  1.97 |
|   Register as Flip Flop    | 17083 |     0 |          0 |    866400 |  1.97 |
| F7 Muxes                   |    12 |     0 |          0 |    216600 | <0.01 |
+----------------------------+-------+-------+------------+-----------+-------+
* Warning! The Final LUT count, after physical optimizations and full implementation, is typically lower.


2. Slice Logic Distribution
---------------------------

+--------------------------------------------+-------+-------+------------+-----------+-------+
|                  Site Type                 |  Used | Fixed | Prohibited | Available | Util% |
+--------------------------------------------+-------+-------+------------+-----------+-------+
| Slice                                      |  8123 |     0 |          0 |    108300 |  7.50 |
| Slice Registers                            | 99999 |     0 |          0 |    866400 | 11.54 |
+--------------------------------------------+-------+-------+------------+-----------+-------+


3. Memory
---------

+-------------------+------+-------+------------+-----------+-------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util% |
+-------------------+------+-------+------------+-----------+-------+
| Block RAM Tile    | 12.5 |     0 |          0 |      1470 |  0.85 |
|   RAMB36/FIFO*    |   10 |     0 |          0 |      1470 |  0.68 |
|   RAMB18          |    5 |     0 |          0 |      2940 |  0.17 |
+-------------------+------+-------+------------+-----------+-------+


4. DSP
------

+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| DSPs           |   96 |     0 |          0 |      3600 |  2.67 |
|   DSP48E1 only |   96 |       |            |           |       |
+----------------+------+-------+------------+-----------+-------+


8. Primitives
-------------

+----------+-------+---------------------+
| Ref Name |  Used | Functional Category |
+----------+-------+---------------------+
| FDRE     | 17000 |        Flop & Latch |
| DSP48E1  |    96 |    Block Arithmetic |
+----------+-------+---------------------+
"""

# Releases before 2020.1 have no column of prohibited sites.
ULTRASCALE = """\
1. CLB Logic
------------

+----------------------------+-------+-------+-----------+-------+
|          Site Type         |  Used | Fixed | Available | Util% |
+----------------------------+-------+-------+-----------+-------+
| CLB LUTs*                  | 65321 |     0 |   1182240 |  5.53 |
|   LUT as Logic             | 60000 |     0 |   1182240 |  5.08 |
| CLB Registers              | 80123 |     0 |   2364480 |  3.39 |
| CARRY8                     |  1200 |     0 |    147780 |  0.81 |
+----------------------------+-------+-------+-----------+-------+


3. BLOCKRAM
-----------

+-------------------+------+-------+-----------+-------+
|     Site Type     | Used | Fixed | Available | Util% |
+-------------------+------+-------+-----------+-------+
| Block RAM Tile    |  120 |     0 |      2160 |  5.56 |
|   RAMB36/FIFO*    |  120 |     0 |      2160 |  5.56 |
| URAM              |    8 |     0 |       960 |  0.83 |
+-------------------+------+-------+-----------+-------+


4. ARITHMETIC
-------------

+----------------+------+-------+-----------+-------+
|    Site Type   | Used | Fixed | Available | Util% |
+----------------+------+-------+-----------+-------+
| DSPs           |  384 |     0 |      6840 |  5.61 |
|   DSP48E2 only |  384 |       |           |       |
+----------------+------+-------+-----------+-------+
"""


def utilization(table: str = SERIES7, *, release: str = "2023.2") -> str:
    """``report_utilization``."""
    head = HEAD.format(release=release, command="report_utilization -file reports/utilization.rpt")
    return f"{head}Utilization Design Information\n\nTable of Contents\n-----------------\n\n{table}"


HIERARCHY = """\
Utilization Design Information

1. Utilization by Hierarchy
---------------------------

+--------------------+--------------+------------+------------+---------+------+-------+--------+--------+------------+
|      Instance      |    Module    | Total LUTs | Logic LUTs | LUTRAMs | SRLs |  FFs  | RAMB36 | RAMB18 | DSP Blocks |
+--------------------+--------------+------------+------------+---------+------+-------+--------+--------+------------+
| top                |        (top) |      21345 |      20123 |    1200 |   22 | 17083 |     10 |      5 |         96 |
|   (top)            |        (top) |         40 |         40 |       0 |    0 |    55 |      0 |      0 |          0 |
|   clocks           |       clocks |          1 |          1 |       0 |    0 |     0 |      0 |      0 |          0 |
|   serial           | spec2_serial |      21304 |      20082 |    1200 |   22 | 17028 |     10 |      5 |         96 |
|     (serial)       | spec2_serial |          3 |          3 |       0 |    0 |     0 |      0 |      0 |          0 |
|     core           |        spec2 |      20301 |      19079 |    1200 |   22 | 16000 |      9 |      4 |         96 |
+--------------------+--------------+------------+------------+---------+------+-------+--------+--------+------------+
* Note: The sum of lower-level cells may be larger than their parent cells total, due to cross-hierarchy LUT combining
"""  # noqa: E501 - as wide as Vivado makes it


def route_status(unrouted: int = 0, errors: int = 0) -> str:
    """``report_route_status``."""
    open_nets = f"           # of unrouted nets................. : {unrouted:>11} :\n" if unrouted else ""
    return f"""\
Design Route Status
                                               :      # nets :
   ------------------------------------------- : ----------- :
   # of logical nets.......................... :       71230 :
       # of nets not needing routing.......... :       20100 :
           # of internally routed nets........ :       18000 :
           # of nets with no loads............ :        2100 :
       # of routable nets..................... :       51130 :
{open_nets}           # of fully routed nets............. :       51130 :
       # of nets with routing errors.......... : {errors:>11} :
   ------------------------------------------- : ----------- :
"""


def reports(**figures: float) -> dict[str, str]:
    """All that a run leaves, by file name."""
    return {
        "timing.rpt": timing(**figures),
        "utilization.rpt": utilization(),
        "utilization_hierarchical.rpt": HIERARCHY,
        "route_status.rpt": route_status(),
    }
