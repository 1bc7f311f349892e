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

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(READY)
	$(BUNDLE) training --config_file "['$(CONFIGS)/train.json','$(CONFIGS)/demo.json']"
	$(BUNDLE) evaluating --config_file "['$(CONFIGS)/train.json','$(CONFIGS)/demo.json','$(CONFIGS)/evaluate.json']"
	$(BUNDLE) inference --config_file "['$(CONFIGS)/inference.json','$(CONFIGS)/demo.json']"
	@echo
	@echo "The pictures:"
	@find $(DEMO_OUTPUT) -name '*.png' -not -path '*/overlays/*' -o -name '*.gif' -path '$(DEMO_OUTPUT)/*' | sort

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

test: lint
	$(RUN) -m pytest -n 2 --cov --cov-report=term:skip-covered --cov-fail-under=95

clean:
	rm -rf $(VENV) bundles/*/sample bundles/*/output
