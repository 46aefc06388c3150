PYTHON ?= python3
VENV := .venv
NAS := $(VENV)/bin/nas
INSTALLED := $(VENV)/.installed

.PHONY: demo firmware test lint clean

# Both commands set everything up: they need Python 3.11 or newer and make, nothing else.
demo: $(INSTALLED)
	$(NAS) search --space mcunetv2 --budget sram=256k --trials 60 --supernet-epochs 12 --run demo --force
	@echo
	@echo "On 8x8 digits 256k does not bind. The same supernet under a budget that does:"
	@echo
	$(NAS) search --space mcunetv2 --budget sram=16k --trials 60 --run demo-16k --supernet-from demo --force

# From a budget to a proved program: searched in the runtime that will execute it, trained, generated for a Cortex-M4,
# measured again, and run on test pictures by a simulated board. Debian: gcc gcc-arm-none-eabi qemu-system-arm.
firmware: $(INSTALLED)
	$(NAS) search --space mcunetv2 --runtime c --budget sram=16k --trials 60 --supernet-epochs 12 --run firmware --force
	$(NAS) train firmware --pick best --epochs 40
	$(NAS) export firmware --pick best --to c --target cortex-m4 --out firmware --force
	$(NAS) verify firmware
	$(MAKE) --no-print-directory -C firmware qemu

test: $(INSTALLED)
	$(VENV)/bin/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

$(INSTALLED): pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'FitNAS needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)')"
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $(INSTALLED)

clean:
	rm -rf $(VENV) build dist firmware *.egg-info
