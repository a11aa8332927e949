# `make run` and `make test` are all a newcomer needs; they need python3 (3.10 or newer) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
GPU_CONFIG ?= configs/train/gpu.yaml

.PHONY: run test check style bench gpu-pack clean

run: $(VENV)/installed
	$(BIN)/bench run configs/clr.yaml --workers 2

# Of one thread each, for torch's own would contend for the workers' processors. Three workers on two
# cores, for some tests wait: for a browser, a server, a process; four where slow ones are among
# them. A worker that is done takes over half of what is left of another's tests, which keeps most
# files in one worker. With bytecode kept, for some environments forbid it, and then each of hundreds
# of processes compiles what it imports. The types are checked beside the tests, by a process of
# their own. SLOW=1 runs the slow tests, too.
test: style
	$(BIN)/mypy & types=$$!; trap "kill $$types 2> /dev/null; exit 130" INT TERM; \
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --dist worksteal $(if $(SLOW),-n 4 --slow,-n 3); \
	tests=$$?; \
	wait $$types || { echo "mypy found errors: see above" >&2; exit 1; }; \
	exit $$tests

check: style
	$(BIN)/mypy

style: $(VENV)/installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# Speed, as ratios against a reference in the same run.
bench: $(VENV)/installed-test
	$(BIN)/python -m tests.speed

# What a borrowed GPU needs, to be carried there: docs/training.md. Of GRID where GRID_ROOT is set.
gpu-pack: $(VENV)/installed
	$(BIN)/python -m methods.wav2lip.gpu.pack $(GPU_CONFIG) build/gpu-pack

# An old Python would end in pip's ResolutionImpossible, and leave a $(VENV) that is of no use.
# Without constraints.txt's CPU build, torch alone pulls gigabytes.
$(VENV)/installed: pyproject.toml constraints.txt
	@found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1) || found=; \
	case "$$found" in \
	3.1[0-9] | 3.[2-9][0-9]) exit 0 ;; \
	3.* | 2.*) found="is Python $$found" ;; \
	*) found="does not run" ;; \
	esac; \
	echo "$(PYTHON) $$found; Python 3.10 or newer is needed: make $(or $(MAKECMDGOALS),run) PYTHON=python3.11" >&2; \
	exit 1
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
