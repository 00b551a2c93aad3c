# make serve                   sets up everything, builds, serves the built-in model; MODEL=ID=FOLDER for another
# make install                 builds, installs below PREFIX (/usr/local), itself below DESTDIR where that is given
# make test                    sets up everything, lints, builds without warnings, tests
# make load                    overload, slow, broken and idle clients, SIGTERM: each figure beside its bound (20 minutes)
# make soak MINUTES=30         good, bad, slow and disconnecting clients together
# make bench MODELS=FOLDER     figures beside PyTorch's, into README and docs, on an idle machine (25 minutes); PYTHON with torch
# make conformance             real clients, tools and attacks against a running service; SKIP='slow fuzz' leaves out
# make fuzz                    fuzzes the parsers with libFuzzer, SECONDS=60 each, TARGETS='http json …' for some
# make asan, make tsan         the tests under AddressSanitizer, under ThreadSanitizer
# make arm64                   the C kernels cross-compiled for 64-bit ARM and tested under qemu-user
# make goldens GOLDENS=FOLDER  full-size models against the reference's goldens (gigabytes, minutes)
SHELL := /bin/bash
SWIFT ?= swift
LISTEN ?= 127.0.0.1:8080
MODEL ?=
ARGS ?=
NAMES ?=
MODELS ?=
PYTHON ?= python3
MINUTES ?= 30
SECONDS ?= 60
TARGETS ?=
PREFIX ?= /usr/local
DESTDIR ?=
BUILT_IN := Sources/tessera/Resources/revq-mini
SHARE = $(DESTDIR)$(PREFIX)/share/tessera/revq-mini
export SWIFT_BACKTRACE := enable=no

.PHONY: setup build serve install test conformance lint format fuzz asan tsan arm64 load soak bench goldens clean

setup:
	@scripts/setup

build: setup
	$(SWIFT) build -c release --product tessera

serve: build
	.build/release/tessera serve --listen $(LISTEN) $(if $(MODEL),--model $(MODEL)) $(ARGS)

install: build
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(SHARE)"
	install -m 755 .build/release/tessera "$(DESTDIR)$(PREFIX)/bin/tessera"
	cp -R $(BUILT_IN)/. "$(SHARE)"
	chmod -R u=rwX,go=rX "$(SHARE)"

lint:
	@scripts/setup lint
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks Fuzz conformance
	git ls-files -z '*.c' '*.h' '*.inc' | xargs -0 clang-format-14 --dry-run -Werror
	scripts/check-columns

format:
	@scripts/setup lint
	git ls-files -z '*.c' '*.h' '*.inc' | xargs -0 clang-format-14 -i
	$(SWIFT) format format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks Fuzz conformance

test: lint
	$(SWIFT) build --build-tests
	timeout -k 10 1200 $(SWIFT) test --skip-build

load: build
	python3 Benchmarks/load/figures.py

soak: build
	python3 Benchmarks/load/soak.py --minutes $(MINUTES)

bench: build
	@if [ -z "$(MODELS)" ]; then echo "make bench MODELS=FOLDER [ARGS='--parts engine …']" >&2; exit 2; fi
	$(SWIFT) build -c release --product tessera-bench
	$(PYTHON) Benchmarks/run.py "$(MODELS)" $(ARGS)

conformance: build
	@conformance/run

fuzz: setup
	scripts/fuzz $(SECONDS) $(TARGETS)

asan: setup
	scripts/sanitize address $(ARGS)

tsan: setup
	scripts/sanitize thread $(ARGS)

arm64: setup
	scripts/arm64

goldens: setup
	@if [ -z "$(GOLDENS)" ]; then echo "make goldens GOLDENS=FOLDER [NAMES='sftok-b …']" >&2; exit 2; fi
	$(SWIFT) build -c release --build-tests -Xswiftc -enable-testing --scratch-path .build-goldens
	TESSERA_GOLDENS="$(abspath $(GOLDENS))" TESSERA_GOLDEN_NAMES="$(NAMES)" timeout -k 10 3600 \
	  $(SWIFT) test -c release --skip-build -Xswiftc -enable-testing --scratch-path .build-goldens \
	  --filter FullSizeGoldenTests

clean:
	rm -rf .build .build-goldens .build-fuzz .build-asan .build-tsan
