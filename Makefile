# One command per intention. What a target does in detail is written where it calls to.
PYTHON ?= python3
ML := .venv/ml/bin
AIRFLOW := .venv/airflow/bin
# Not the target `setup`: where nothing is to be done, nothing is said.
BOTH := .venv/ml/.installed .venv/airflow/.installed

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup up down demo test lint compile lock bench

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(BOTH) ## install both environments from their locks
	@echo "Both environments are as their locks say."

.venv/ml/.installed: locks/ml.txt pyproject.toml
	@$(PYTHON) deploy/local/bootstrap.py ml

.venv/airflow/.installed: locks/airflow.txt
	@$(PYTHON) deploy/local/bootstrap.py airflow

up: $(BOTH) ## start Airflow, MLflow and the model server
	@$(ML)/python -m deploy.local up

down: ## stop them
	@if [ -x $(ML)/python ]; then $(ML)/python -m deploy.local down; \
	else echo "Nothing is installed here, so nothing runs."; fi

demo: $(BOTH) ## from raw digits to a served model, with everything running
	@$(ML)/slipway demo

test: $(BOTH) ## lint, then all tests in both environments, end to end included
	@$(ML)/python tests/run_all.py

lint: $(BOTH) ## style, layering, types
	$(AIRFLOW)/ruff check . && $(AIRFLOW)/ruff format --check .
	PYTHONPATH=. $(AIRFLOW)/lint-imports && $(AIRFLOW)/mypy --python-executable $(ML)/python
	$(AIRFLOW)/mypy --python-executable $(AIRFLOW)/python --python-version 3.11 --package dags

compile: .venv/ml/.installed ## write the manifests that Airflow draws
	@$(ML)/slipway compile

lock: ## pin requirements.txt into locks/
	@$(PYTHON) deploy/local/bootstrap.py lock

bench: $(BOTH) ## measure: make bench NAME=one of benchmarks/*.py, without the .py
	@$(ML)/python benchmarks/$(NAME).py
