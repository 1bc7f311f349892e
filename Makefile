# make demo   train, evaluate and infer the oct_edema bundle on its embedded sample (CPU, under 10 minutes)
# make test   lint and run all tests with branch coverage

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
READY = $(VENV)/.ready

BUNDLE = $(RUN) -m monai.bundle run
OCT = bundles/oct_edema
CONFIGS = $(OCT)/configs
DEMO_OUTPUT = $(OCT)/output/demo

.PHONY: demo test lint clean

# The stamp is written last: a set-up that broke off is done again, and so is one whose requirements changed.
$(READY): setup.cfg pyproject.toml constraints.txt
	rm -f $@
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(READY)
	$(BUNDLE) training --config_file "['$(CONFIGS)/train.json','$(CONFIGS)/demo.json']"
	$(BUNDLE) evaluating --config_file "['$(CONFIGS)/train.json','$(CONFIGS)/demo.json','$(CONFIGS)/evaluate.json']"
	$(BUNDLE) inference --config_file "['$(CONFIGS)/inference.json','$(CONFIGS)/demo.json']"
	@echo
	@echo "Pictures: training curves, each validation volume against its reference, each test volume's prediction"
	@find $(DEMO_OUTPUT) \( -name '*.png' -o -name '*.gif' \) -not -path '*_overlays/*' | sort

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# one thread a process: the tests run side by side, and threads that wait for each other's cores are slower
test: lint
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=95

clean:
	rm -rf $(VENV) bundles/*/sample bundles/*/output
