# make solve [PROBLEM="..."]   solve a problem: sets up .venv on first use
# make test                    set up .venv and run the tests
# make test-clients            try the service with the clients that people use, each in an environment of its own
# make test-vllm               run the tests on the real vLLM, in an environment of its own with vLLM's build for CPUs
# make test-fuzz               send every route many more random requests than the tests do
# make check                   everything that CI runs
# make train                   repeat the training of the embedded models (needs torch, in a venv of its own)
# make bench-methods           compare all methods at 1 to 32 particles on 500 held-out problems; goes on where it was (hours)
# make bench-overconfident     the filters with a reward model that is made over-confident
# make bench-its-hub           accuracy and seconds beside its_hub
# make bench-calibration       fit and measure a calibration of the embedded reward model
# make bench-answers           measure how well and how fast answers are compared (needs public data sets)
# make bench-service           measure what HTTP adds to a search
# make bench-overhead          measure the search against plain sampling and its_hub on one vLLM (about an hour)
# make docs-figures            draw README's picture, record what docs/entropy.md shows and draw its pictures
# make bench-speed             measure their speed, against transformers too (needs torch)
# make constraints             write down the exact versions that the images install
# make tools                   what checks of the deployment need: Debian's docker-compose (as root) and Prometheus
# PYTHON=python3.12 make ...   with another interpreter

PYTHON ?= python3
PROBLEM ?= There are 45 birds on a wire. 17 fly away. How many are left?

# Reaches the shell as it was typed, dollars and quotes included: neither make nor the shell reads it.
override PROBLEM := $(value PROBLEM)
export PROBLEM

VENV := .venv
TRAIN_VENV := .venv-train
VLLM_VENV := .venv-vllm
CORE := $(VENV)/.core-installed
DEV := $(VENV)/.dev-installed
TOOLS := .tools/.installed
TRAIN := $(TRAIN_VENV)/.installed
VLLM := $(VLLM_VENV)/.installed
ITS_HUB_VENV := .venv-its-hub
ITS_HUB := $(ITS_HUB_VENV)/.installed

.PHONY: solve test test-fuzz test-clients test-vllm check train constraints tools clean
.PHONY: bench-methods bench-overconfident bench-its-hub bench-answers bench-pair bench-calibration bench-service bench-overhead bench-speed docs-figures

solve: $(CORE)
	@$(VENV)/bin/epf solve -- "$$PROBLEM"

test: $(DEV)
	$(VENV)/bin/python -m pytest

test-clients: $(DEV)
	$(VENV)/bin/python -m tests.clients.run

test-vllm: $(VLLM) $(TOOLS)
	$(VLLM_VENV)/bin/python -m pytest tests/vllm

test-fuzz: $(DEV)
	FUZZ_EXAMPLES=1000 $(VENV)/bin/python -m pytest tests/service/test_fuzz.py -s

check: $(DEV) $(TOOLS) $(VLLM)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest
	$(VLLM_VENV)/bin/python -m pytest tests/vllm
	$(VENV)/bin/python -m tests.clients.run

train: $(TRAIN)
	$(TRAIN_VENV)/bin/python -m epf.training.generator
	$(TRAIN_VENV)/bin/python -m epf.training.reward_model

# All methods, and all that the filter and best-of-n may be.
CONTENDERS := all,epf+lookahead=reuse,epf+lookahead=redraw,epf+annealing=entropy,epf+annealing=base,epf+annealing=cess
CONTENDERS := $(CONTENDERS),epf+weighting=incremental,epf+odds_power=1+answer_selection=weighted_vote,best_of_n+aggregation=min,best_of_n+aggregation=product,best_of_n+aggregation=mean,weighted_best_of_n+aggregation=product
METHODS_RUN := benchmarks/results/methods
OVERCONFIDENT_RUN := benchmarks/results/overconfident
# The rows of these runs are kept compressed; with them the commands go on where they were.
unpack = test -e $(1)/results.jsonl || ! test -e $(1)/results.jsonl.xz || xz --decompress --keep $(1)/results.jsonl.xz
pack = xz -9 --keep --force $(1)/results.jsonl
bench-methods: $(DEV)
	$(call unpack,$(METHODS_RUN))
	$(VENV)/bin/epf eval --dataset synthetic --methods $(CONTENDERS) --budgets 1,2,4,8,16,32 --seeds 3 --ray local --workers 2 --out $(METHODS_RUN)
	$(call pack,$(METHODS_RUN))
	$(VENV)/bin/python -m benchmarks.methods

# The same filters with a reward model that is made over-confident: its log odds are multiplied by three.
FILTERS := pf,epf,epf_published,epf+lookahead=reuse,epf+lookahead=redraw,epf+annealing=cess,epf+odds_power=1+answer_selection=weighted_vote
bench-overconfident: $(DEV)
	$(call unpack,$(METHODS_RUN))
	$(call unpack,$(OVERCONFIDENT_RUN))
	EPF_REWARD_MODEL__CALIBRATION=benchmarks/overconfident.calibration.json $(VENV)/bin/epf eval --dataset synthetic --limit 100 --methods $(FILTERS) --budgets 4,8,16,32 --seeds 3 --timed 0 --out $(OVERCONFIDENT_RUN)
	$(call pack,$(OVERCONFIDENT_RUN))
	$(VENV)/bin/python -m benchmarks.overconfidence

bench-its-hub: $(ITS_HUB)
	$(ITS_HUB_VENV)/bin/pip install --quiet --editable .
	$(ITS_HUB_VENV)/bin/python -m benchmarks.its_hub_accuracy

bench-pair: $(DEV)
	$(VENV)/bin/python -m benchmarks.pair

bench-calibration: $(DEV)
	$(VENV)/bin/python -m benchmarks.calibration

bench-answers: $(DEV)
	$(VENV)/bin/python -m benchmarks.answers

bench-service: $(DEV)
	$(VENV)/bin/python -m benchmarks.service_overhead

bench-overhead: $(VLLM) $(ITS_HUB)
	$(VLLM_VENV)/bin/python -m benchmarks.search_overhead --its-hub $(ITS_HUB_VENV)/bin/python

docs-figures: $(DEV)
	$(VENV)/bin/python -m benchmarks.picture
	$(VENV)/bin/python -m benchmarks.entropy

bench-speed: $(TRAIN)
	$(TRAIN_VENV)/bin/python -m benchmarks.speed

constraints:
	$(PYTHON) -m venv --clear .venv-constraints
	.venv-constraints/bin/pip install --quiet --editable '.[entropy]'
	echo '# The versions that the images install. Generated by `make constraints`.' > deploy/constraints.txt
	.venv-constraints/bin/pip freeze --exclude-editable >> deploy/constraints.txt

tools: $(TOOLS)

clean:
	rm -rf $(VENV) $(TRAIN_VENV) $(VLLM_VENV) $(ITS_HUB_VENV) .tools .venv-clients .venv-constraints build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(CORE): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable .
	touch $(CORE)

$(DEV): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'
	touch $(CORE) $(DEV)

$(TRAIN): pyproject.toml
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_VENV)/bin/pip install --quiet --editable '.[train]'
	touch $(TRAIN)

$(ITS_HUB):
	$(PYTHON) -m venv $(ITS_HUB_VENV)
	$(ITS_HUB_VENV)/bin/pip install --quiet 'its_hub[lm]==1.2.0'
	touch $(ITS_HUB)

# Both are Debian's packages. Prometheus is unpacked here rather than installed, which would start it.
$(TOOLS):
	mkdir -p .tools
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    apt-get update -qq && \
	    { command -v docker-compose > /dev/null || apt-get install -qq --no-install-recommends docker-compose > /dev/null; } && \
	    cd .tools && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . ; \
	fi
	touch $(TOOLS)

$(VLLM): pyproject.toml tests/vllm/install.py
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python tests/vllm/install.py
	touch $(VLLM)
