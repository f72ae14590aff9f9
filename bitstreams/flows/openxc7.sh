#!/usr/bin/env bash
# Bitstream of @NAME@ with yosys, nextpnr-xilinx and Project X-Ray. Needs these tools and nothing else.
#
#   ./build.sh [--allow-timing-fail]
#
# Environment, where the defaults do not find it:
#   CHIPDB          nextpnr-xilinx's database of the device: the .bin file, or a folder that has it
#   PRJXRAY_DB_DIR  Project X-Ray's database: the folder that has @FAMILY@/
#   YOSYS, NEXTPNR, FASM2FRAMES, FRAMES2BIT   the programs
#   SEED            of the placer (1); another one when timing is missed by little
#   SKIP_DSP_CHECK  not empty: keep a bitstream whose DSP slices an old nextpnr-xilinx left half configured
#
# Leaves @PRODUCTS@.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

die() { echo "build.sh: $*" >&2; exit 2; }
failed() { echo "build.sh: $*" >&2; exit 1; }
# A program, its exit code, its log: what it said of its end, or how it ended.
stopped() {
  local why
  why=$(grep -s '^ERROR: ' "$3" | tail -n 1) || why=
  why=${why#ERROR: }
  failed "$1 failed: ${why:-it ended with code $2}; its log is $3"
}

timing=()
case "${1:-}" in
  "") ;;
  --allow-timing-fail) timing=(--timing-allow-fail) ;;
  *) die "unknown option $1; usage: ./build.sh [--allow-timing-fail]" ;;
esac

yosys=${YOSYS:-yosys} nextpnr=${NEXTPNR:-nextpnr-xilinx}
fasm2frames=${FASM2FRAMES:-fasm2frames} frames2bit=${FRAMES2BIT:-xc7frames2bit}
missing=()
for program in "$yosys" "$nextpnr" "$fasm2frames" "$frames2bit"; do
  command -v "$program" >/dev/null || missing+=("$program")
done
if [ "${#missing[@]}" -gt 0 ]; then
  die "not on PATH: ${missing[*]}; install openXC7 (https://github.com/openXC7/toolchain-installer)"
fi

# Where the installer, Nix, snap and Docker put the databases. Nix' variables may hold several folders.
root=${NEXTPNR_XILINX_DIR:-/snap/openxc7/current/opt/nextpnr-xilinx}
chipdb=
IFS=: read -r -a folders <<<"${CHIPDB:-}:${NEXTPNR_XILINX_CHIPDB_DIR:-}:${@UPPER@_CHIPDB:-}"
for candidate in "${folders[@]}" chipdb ../chipdb /chipdb "$root/chipdb" "$root/share/nextpnr/xilinx-chipdb"; do
  if [ -n "$candidate" ] && [ -f "$candidate" ]; then chipdb=$candidate; break; fi
  for name in @CHIPDBS@; do
    if [ -n "$candidate" ] && [ -f "$candidate/$name.bin" ]; then chipdb=$candidate/$name.bin; break 2; fi
  done
done
[ -n "$chipdb" ] || die "no chip database of @DEVICE@ found: set CHIPDB to the .bin file; bbaexport.py" \
  "--device @PART@ and bbasm of nextpnr-xilinx make it, or openXC7's chipdb packages have it"

xray=
for candidate in "${PRJXRAY_DB_DIR:-}" "$root/external/prjxray-db" "$root/share/nextpnr/external/prjxray-db" \
  /nextpnr-xilinx/xilinx/external/prjxray-db /usr/local/share/nextpnr/external/prjxray-db; do
  if [ -n "$candidate" ] && [ -f "$candidate/@FAMILY@/@PART@/part.yaml" ]; then xray=$candidate/@FAMILY@; break; fi
done
[ -n "$xray" ] || die "no Project X-Ray database with @FAMILY@/@PART@ found: set PRJXRAY_DB_DIR to its folder" \
  "(https://github.com/openXC7/prjxray-db)"

# A file that a broken run left must not pass for a product of this one.
rm -f top.json top.fasm top.sdf top.frames @BITSTREAM@ yosys.log nextpnr.log tools.txt
{
  echo "yosys: $("$yosys" -V 2>&1 | head -n 1)"
  echo "nextpnr-xilinx: $("$nextpnr" --version 2>&1 | head -n 1)"
  echo "chipdb: $(sha256sum "$chipdb" | cut -d ' ' -f 1)"
} >tools.txt
cat tools.txt

echo "== synthesis (yosys.log)"
"$yosys" -q -l yosys.log -s synth.ys || stopped yosys $? yosys.log
cat synthesis.txt

echo "== placement and routing at @MHZ@ MHz (nextpnr.log)"
"$nextpnr" --chipdb "$chipdb" --json top.json --xdc top.xdc --fasm top.fasm --sdf top.sdf \
  --freq @MHZ@ --seed "${SEED:-1}" ${timing[@]+"${timing[@]}"} 2>&1 | tee nextpnr.log || {
  code=$?
  ! grep -q '^ERROR: Max frequency .*(FAIL at ' nextpnr.log ||
    failed "timing is missed at @MHZ@ MHz: plan with a lower --mhz, try another SEED, or allow it with" \
      "--allow-timing-fail; see nextpnr.log"
  stopped nextpnr-xilinx "$code" nextpnr.log
}
[ -s top.fasm ] || die "nextpnr-xilinx wrote no FASM; see nextpnr.log"

# These DSP pins have no wire: only a bit in the tile sets them, and releases without openXC7/nextpnr-xilinx#159
# write none: 0.8.2 and all before it. Such a DSP ignores its operand, with clean timing and no message.
awk -F. '
  $2 ~ /^DSP_[01]/ { site = $1 "." substr($2, 1, 5); sites[site] }
  $2 ~ /^DSP_[01]_(INMODE[0-4]|ALUMODE[23]|OPMODE6)$/ && $3 ~ /^DSP_(GND|VCC)_[LR]$/ { tied[site]++ }
  END { for (site in sites) if (tied[site] != 8) bad++; exit bad > 0 }
' top.fasm || {
  echo "build.sh: this nextpnr-xilinx leaves constant pins of DSP slices open (openXC7/nextpnr-xilinx#159)" >&2
  [ -n "${SKIP_DSP_CHECK:-}" ] || die "the accelerator would compute wrong results: use a nextpnr-xilinx that has" \
    "#159 (0.8.2 has not), or plan with --no-dsp"
}

echo "== bitstream"
"$fasm2frames" --part @PART@ --db-root "$xray" top.fasm >top.frames || failed "fasm2frames ended with code $?"
[ -s top.frames ] || die "fasm2frames wrote nothing"
"$frames2bit" --part_file "$xray/@PART@/part.yaml" --part_name @PART@ --frm_file top.frames \
  --output_file @BITSTREAM@ || failed "xc7frames2bit ended with code $?"
[ -s @BITSTREAM@ ] || die "xc7frames2bit wrote nothing"
sha256sum @BITSTREAM@
# 'spec2 build' times these from top.sdf; here is no Python to do it.
echo "@BLIND@"
