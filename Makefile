# Needs only Python 3.11 or newer and make. Everything else is set up in .venv from the pinned, hashed lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup run test test-spark test-spark-core prove test-store gateway check dashboard ui bench bench-linking bench-review bench-scale clean lock browser screenshots

help:
	@echo "make setup      set up .venv, nothing else"
	@echo "make run        set up, run the whole pipeline on the bundled default, print what it found"
	@echo "make test       set up, run every check and test"
	@echo "make test-spark compare the engines on a real Spark cluster of two workers; needs Java 17"
	@echo "make test-spark-core  the part of it that takes minutes, which CI runs where there is Java"
	@echo "make prove      repeat all trials by force, and print what was tried, how often, and what failed"
	@echo "make test-store repeat the tests of object storage at a real object store"
	@echo "make check      lint, types, SQL, import directions, spelling"
	@echo "make dashboard  the dashboards, on http://localhost:8501"
	@echo "make ui         Dagster's own UI, on http://localhost:3000"
	@echo "make bench      measure speed, side by side"
	@echo "make bench-review  what the order of the review queue saves, beside ASReview LAB"
	@echo "make bench-scale  measure reading, and all tables, on one machine and on a Spark cluster; needs Java 17"
	@echo "make screenshots  take pictures of every page, in build/screenshots"
	@echo "make clean      remove what make made; the lake in data/ stays"

setup: .venv/ready

run: .venv/ready
	@$(BIN)/aisle run

# where Python is told to keep no bytecode, every process a test starts would compile this project anew
test: check browser .venv/spark-ready
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 2

# Spark itself, which is not needed for anything else, is installed in an environment of its own
test-spark: .venv/spark-ready .venv-spark/ready
	env -u PYTHONDONTWRITEBYTECODE AISLE_SPARK=$(CURDIR)/.venv-spark $(BIN)/python -m pytest tests/spark -o faulthandler_timeout=1800

# every table of the bundled default there, though a worker is killed: what CI can afford
test-spark-core: .venv/spark-ready .venv-spark/ready
	env -u PYTHONDONTWRITEBYTECODE AISLE_SPARK=$(CURDIR)/.venv-spark $(BIN)/python -m pytest tests/spark/test_cluster_core.py -o faulthandler_timeout=1800

# kills, damaged inputs, full disks, hostile queries, many sessions: few of each in `make test`, all of them here
prove: browser .venv/spark-ready
	env -u PYTHONDONTWRITEBYTECODE AISLE_PROVE=yes $(BIN)/python -m pytest -n 2 -m trials -o faulthandler_timeout=1800

# a lake on a real object store: Ceph's RADOS gateway from Debian's packages, in memory
test-store: gateway .venv/spark-ready
	env -u PYTHONDONTWRITEBYTECODE AISLE_TEST_STORE=yes $(BIN)/python -m pytest tests/object_store tests/spark/test_bucket.py

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ty check
	$(BIN)/sqruff lint transforms
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

dashboard: .venv/ready
	@$(BIN)/aisle dashboard

ui: .venv/ready
	@$(BIN)/aisle ui

bench: export AISLE_KEEP_RESULTS := yes
bench-linking: .venv/ready
	$(BIN)/python -m benchmarks.linking

# FILES: labelled sets of other fields, as CSV with title, abstract and included
bench-review: .venv/ready
	$(BIN)/python -m benchmarks.review $(FILES)

bench-scale: export AISLE_KEEP_RESULTS := yes
bench-scale: .venv/spark-ready .venv-spark/ready
	AISLE_SPARK=$(CURDIR)/.venv-spark $(BIN)/python -m benchmarks.scale
	AISLE_SPARK=$(CURDIR)/.venv-spark $(BIN)/python -m benchmarks.scale_tables
	$(BIN)/python -m benchmarks.scale_plan

bench: browser .venv/ready
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.bulk
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.small_changes
	$(BIN)/python -m benchmarks.dimensions
	$(BIN)/python -m benchmarks.linking
	$(BIN)/python -m benchmarks.mentions
	$(BIN)/python -m benchmarks.suggestions
	$(BIN)/python -m benchmarks.review
	$(BIN)/python -m benchmarks.counting
	$(BIN)/python -m benchmarks.sql_box
	$(BIN)/python -m benchmarks.fetch
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.sessions

screenshots: browser .venv/ready
	$(BIN)/python -m tests.support.screenshots

clean:
	rm -rf .venv .venv-spark .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info

# the lock is made anew only by hand, after a change of the dependencies in pyproject.toml
lock: .venv/ready
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --extra dev --extra s3 --extra postgres --extra embeddings \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	for group in tests server; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate \
		--group spark-$$group -c requirements.lock --custom-compile-command "make lock" \
		-o requirements-spark-$$group.lock; done

# the client of Spark and a server of its protocol, for tests: a few seconds more, and nothing that `make run` needs
.venv/spark-ready: .venv/ready requirements-spark-tests.lock
	@$(BIN)/uv pip install --quiet --require-hashes -r requirements-spark-tests.lock
	@touch .venv/spark-ready

.venv-spark/ready: .venv/ready requirements-spark-server.lock
	@test -x .venv-spark/bin/python || $(PYTHON) -m venv .venv-spark
	@$(BIN)/uv pip install --quiet --python .venv-spark/bin/python --require-hashes -r requirements.lock \
		-r requirements-spark-server.lock
	@touch .venv-spark/ready

# uv comes first, by its hash in the lock, since it installs the rest ten times as fast as pip; compiled at once,
# since a quarter of the first run would go into it, and of every run where Python is told to keep no bytecode
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "aisle needs Python 3.11 or newer, this is %d.%d: name another with make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "setting up .venv (about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^uv==/ { found = 1 } found { print } found && !/\\$$/ { exit }' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --no-build-isolation --no-deps --offline -e .
	@touch .venv/ready

# the tests at a real object store skip with a reason where it is not there and cannot be installed
gateway:
	@command -v radosgw > /dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
		&& echo "installing an object store for its tests" \
		&& apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd radosgw > /dev/null; } || true

# the browser tests skip with a reason where there is no browser and it cannot be installed
browser:
	@command -v chromium > /dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
		&& echo "installing chromium for the browser tests" \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null; } || true
