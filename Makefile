# All commands, for people and for CI. `make` alone lists them.
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV = .venv
PY = $(VENV)/bin/python
MANAGE = $(PY) manage.py
# Nothing is resolved: the locks are complete, and hold on another day what they hold today.
PIP = $(PY) $(AS_A_MODULE) pip install --progress-bar off --disable-pip-version-check --quiet --require-hashes --no-deps
# Two makes never install at once: the second waits for the first's lock, then finds nothing left to do.
ONE_AT_A_TIME = $(PYTHON) -c '$(NO_TRACEBACK); import fcntl, os; lock = os.open("Makefile", os.O_RDONLY); \
	os.set_inheritable(lock, True); fcntl.flock(lock, fcntl.LOCK_EX); os.execvp(sys.argv[1], sys.argv[1:])'
# A module as `python -m` runs it, but for what Ctrl-C shows: nothing.
AS_A_MODULE = -c '$(NO_TRACEBACK); import runpy; del sys.argv[0]; \
	runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)'
NO_TRACEBACK = import sys; sys.excepthook = lambda kind, *at: kind is KeyboardInterrupt or sys.__excepthook__(kind, *at)
PYTHON_CHECK = import sys; (3, 11) <= sys.version_info[:2] <= (3, 14) or sys.exit( \
	"VigilPay needs Python 3.11 to 3.14, this is " + sys.version.split()[0] + ": try `make PYTHON=python3.12 ...`")
VENV_CHECK = import sys, importlib.util as u; u.find_spec("venv") and u.find_spec("ensurepip") or sys.exit( \
	"This Python cannot make virtual environments: install python3-venv (Debian, Ubuntu) or name another, PYTHON=...")

.PHONY: help setup setup-dev demo demo-check run worker migrate shell db-start db-stop db-status \
	test test-fast test-long test-browser words security lint types check coverage screenshots chaos chaos-short mutants \
	load audit-code audit-packages check-deploy bench bench-freshness bench-engine bench-model bench-admin freeze lock format clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

# --- start here ---

setup: ## Install the pinned runtime packages into .venv
	@$(ONE_AT_A_TIME) $(MAKE) -s $(VENV)/.runtime-stamp

demo: setup ## Database, 10,000 customers, web server and worker; then watch a score follow an edit (Ctrl-C stops it)
	@$(MANAGE) demo

demo-check: setup ## The same without staying: exits 0 or 1
	@$(MANAGE) demo --check

# --- run the parts ---

run: setup ## The web server, for development
	@$(MANAGE) runserver

worker: setup ## The scoring worker, watched and restarted when it dies or stalls
	@$(MANAGE) run_worker

migrate: setup ## Create or update the tables
	@$(MANAGE) migrate

shell: setup ## A Python shell with Django loaded
	@$(MANAGE) shell

db-start: setup ## Start the private PostgreSQL
	@$(LOCALDB) start

db-stop: setup ## Stop the private PostgreSQL; the data stay
	@$(LOCALDB) stop

db-status: setup ## Is it running, and where is it?
	@$(LOCALDB) status

# --- what must hold ---

test: lint types check audit-code ## Everything that must pass before a merge
	@$(TESTS)

test-fast: setup-dev ## For work in progress: without worker processes, browser, training and attacks; two minutes
	@$(TESTS) -m "not slow and not process and not security"

test-long: setup-dev ## What `make test` leaves out: upgrades from old versions, long benchmarks, more windows; half an hour
	@$(TESTS) -m slow

test-browser: setup-dev ## Staff's days in a real browser, and axe on each kind of page: Chromium must be installed
	@$(PY) -m tests.browser.chromium
	@$(PY) -m pytest -m browser tests/browser

words: setup ## Every text that staff can meet, by module; exits 1 if one has a word that it should not have
	@$(PY) -m tests.staff_words

security: setup-dev ## Every address, role and token; attacks on the database; the feed of 100,000 edits: ten minutes
	@$(PY) -m pytest -m security

lint: setup-dev ## Style, and code that looks like a bug
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: setup-dev ## mypy, strict
	@$(PY) -m mypy

check: setup-dev ## Migrations complete, imports pointing one way
	@$(MANAGE) makemigrations --check --dry-run
	@$(LINT_IMPORTS)

coverage: setup-dev ## Tests with a line-by-line report in htmlcov/; fails below 90 %
	@$(TESTS) --cov --cov-report=html --cov-report=term

chaos: setup ## Storms: every process killed, PostgreSQL crashed, under random editors; minutes. CHAOS_SEED=n replays one
	@$(CHAOS)

chaos-short: setup ## A few of them, chosen by the seed, in less than 50 seconds
	@$(CHAOS) --short

load: setup ## A minute of analyze, edits and pages on the deployed web server beside slow clients; exits 1 if one fails
	@$(PY) -m tests.load $(LOAD)

check-deploy: setup-dev ## Django's deployment checks with the settings of production: silent when all is well
	@$(PY) -m tests.production check --deploy --fail-level WARNING

audit-code: setup-dev ## bandit: code that an attacker could use
	@$(PY) -m bandit --quiet --configfile pyproject.toml --recursive customers events vigilpay manage.py

audit-packages: setup-dev ## pip-audit: published weaknesses of the pinned packages; exits 2 if the data can't be reached
	@$(PY) -m tests.package_audit

mutants: setup-dev ## Take away one statement after another: the module's own tests must notice; minutes, exits 1 if not
	@$(PY) -m tests.mutants $(MUTANTS)

bench-freshness: setup ## From the commit of an edit to its current score, in milliseconds
	@$(PY) -m tests.benchmarks.freshness $(BENCH)

bench-engine: setup ## What triggers cost editors and how near the drain comes to the database's limit; exits 1 if missed
	@$(PY) -m tests.benchmarks.engine $(BENCH)

bench-model: setup-dev ## How fast the model scores and explains beside scikit-learn and shap; exits 1 if missed
	@$(PY) -m tests.benchmarks.model $(BENCH)

bench-admin: setup ## The admin's list at 1,000,000 customers beside a stock one, in milliseconds; exits 1 if missed
	@$(PY) -m tests.benchmarks.admin $(BENCH)

bench: ## All benchmarks, one after another
	@$(MAKE) -s bench-freshness
	@$(MAKE) -s bench-engine
	@$(MAKE) -s bench-model
	@$(MAKE) -s bench-admin

# --- keep house ---

screenshots: setup-dev ## Draw the pictures of docs/screenshots/ anew, with customers made up for them
	@$(PY) -m tests.browser.chromium
	@$(PY) -m tests.browser.screenshots

format: setup-dev ## Put the code into shape
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

freeze: setup ## Note down what new migrations do: from then on a test holds them to it
	@$(PY) -m tests.frozen

lock: setup-dev ## Pin the newest packages that requirements*.in allow, and prove that the locks are complete
	@$(COMPILE) -o requirements.txt requirements.in
	@$(COMPILE) -o requirements-dev.txt requirements-dev.in
	@$(COMPILE) -o requirements-sso.txt requirements-sso.in
	@$(PY) -m tests.locks

clean: ## Remove caches and reports, never .venv or the database
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './.local/*' -prune -exec rm -rf {} +

# --- behind the scenes ---

# Three files at a time, on any machine: half of a test's time is waiting for processes that it has started.
# They start Python some hundreds of times: what it has compiled is kept, on machines too that keep none.
TESTS = env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder
# As a module, for the scripts in bin/ break when a checkout moves.
LINT_IMPORTS = $(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command(["--no-logo"])'
CHAOS = $(PY) -m tests.chaos $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))
COMPILE = $(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras

LOCALDB = $(PY) $(AS_A_MODULE) vigilpay.localdb

# pip's own last words, "no matching distribution", do not tell a newcomer that it is the network that is missing.
PIP_LOG = $(VENV)/pip.log
INSTALL = rm -f $(PIP_LOG); $(PIP) --log $(PIP_LOG) -r $(1) && rm -f $(PIP_LOG) || { \
	! grep -q "connection broken by\|connection error" $(PIP_LOG) || echo "The package index cannot be reached: connect to the network, or" \
	"name a proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL), then run the same again." >&2; exit 1; }

setup-dev: setup
	@$(ONE_AT_A_TIME) $(MAKE) -s $(VENV)/.dev-stamp

# A stamp is written last: an interrupted installation is taken up again, a finished one costs nothing.
$(VENV)/.runtime-stamp: requirements.txt $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip
	@echo "Installing the runtime packages into $(VENV), which takes a minute or two the first time"
	@$(call INSTALL,requirements.txt)
	@$(PY) $(AS_A_MODULE) customers.ml_service.warm
	@touch $@

$(VENV)/.dev-stamp: requirements-dev.txt $(VENV)/.runtime-stamp
	@echo "Installing the development packages into $(VENV)"
	@$(call INSTALL,requirements-dev.txt)
	@touch $@

$(PY):
	@$(PYTHON) -c '$(PYTHON_CHECK)'
	@$(PYTHON) -c '$(VENV_CHECK)'
	@$(PYTHON) $(AS_A_MODULE) venv --clear $(VENV)
