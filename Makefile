# make serve MODEL=ID=FOLDER   sets up everything, builds, serves
# make test                    sets up everything, lints, builds without warnings, tests
# make goldens GOLDENS=FOLDER  full-size models against the reference's goldens (gigabytes, minutes)
SHELL := /bin/bash
SWIFT ?= swift
LISTEN ?= 127.0.0.1:8080
MODEL ?=
ARGS ?=
NAMES ?=
export SWIFT_BACKTRACE := enable=no

.PHONY: setup build serve test lint format goldens clean

setup:
	@scripts/setup

build: setup
	$(SWIFT) build -c release --product tessera

serve: build
	@if [ -z "$(MODEL)" ]; then \
	  echo "make serve needs a model: make serve MODEL=ID=FOLDER (README, 'Models')" >&2; exit 2; fi
	.build/release/tessera serve --listen $(LISTEN) --model $(MODEL) $(ARGS)

lint: setup
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks

format:
	$(SWIFT) format format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks

test: lint
	$(SWIFT) build --build-tests
	timeout -k 10 1200 $(SWIFT) test --skip-build

goldens: setup
	@if [ -z "$(GOLDENS)" ]; then echo "make goldens GOLDENS=FOLDER [NAMES='sftok-b …']" >&2; exit 2; fi
	$(SWIFT) build -c release --build-tests -Xswiftc -enable-testing --scratch-path .build-goldens
	TESSERA_GOLDENS="$(abspath $(GOLDENS))" TESSERA_GOLDEN_NAMES="$(NAMES)" timeout -k 10 3600 \
	  $(SWIFT) test -c release --skip-build -Xswiftc -enable-testing --scratch-path .build-goldens \
	  --filter FullSizeGoldenTests

clean:
	rm -rf .build .build-goldens
