# The short way to everything; behind it is CMake with presets (CMakePresets.json).
#
#   make            build/release/assay, libassay.so, libassay.a
#   make demo       installs what is missing, builds, audits Fashion-MNIST
#   make check      installs what is missing, builds with sanitizers, runs every test
#   make install    PREFIX=/usr/local DESTDIR=
#   make fuzz       every fuzz target for FUZZ_SECONDS
#   make bench      builds the benchmarks and studies of bench/
#   make format     clang-format over all sources
#   make clean      removes build/

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
DEMO ?= demo.assay
DEMO_DATA ?= /usr/share/datasets/fashion-mnist
FUZZ_SECONDS ?= 600

.PHONY: all setup demo check install fuzz bench format clean

all: build/release/build.ninja
	cmake --build --preset release -j $(JOBS)

build/%/build.ninja:
	cmake --preset $* || { echo "  help: tools/setup.sh installs what a build needs" >&2; rm -f $@; exit 1; }

setup:
	tools/setup.sh

demo: setup
	@$(MAKE) --no-print-directory all
	build/release/assay audit $(DEMO_DATA) -o $(DEMO)
	@echo "open $(abspath $(DEMO))/audit.html in a browser"

check:
	tools/setup.sh check
	@$(MAKE) --no-print-directory build/dev/build.ninja
	cmake --build --preset dev -j $(JOBS)
	ctest --preset dev -j $(JOBS)

install: all
	cmake --install build/release --prefix $(PREFIX)

fuzz: build/fuzz/build.ninja
	cmake --build --preset fuzz -j $(JOBS)
	tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

bench: build/release/build.ninja
	cmake --build --preset release --target bench -j $(JOBS)
	@echo "built; each runs by hand:" && ls build/release/bench/*

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build
