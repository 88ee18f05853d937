# SPDX-License-Identifier: Apache-2.0
#   make          builds build/coppice
#   make demo     installs what is missing, builds, runs the main job, says where the page is
#   make test     installs what is missing, builds, runs the tests
#   make check    the slower checks: sanitizers, clang, the core alone, fuzzers
#   make bench    measurements compared with other engines (see bench/README.md)

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export CTEST_OUTPUT_ON_FAILURE = 1

all: build/coppice

build/build.ninja: CMakeLists.txt tests/CMakeLists.txt
	@cmake -S . -B build -G Ninja -DCMAKE_EXPORT_COMPILE_COMMANDS=ON > build.log 2>&1 || (cat build.log; exit 1)
	@mv build.log build/configure.log

# ninja knows what is out of date
build/coppice: build/build.ninja force
	@cmake --build build -j $(JOBS) --target coppice-cli

setup:
	@tools/setup.sh

demo: setup
	@$(MAKE) --no-print-directory build/coppice
	@tools/demo.sh build/coppice

test: setup
	@$(MAKE) --no-print-directory build/build.ninja
	@cmake --build build -j $(JOBS)
	@cd build && ctest -j $(JOBS)

check: setup
	@tools/check.sh

bench: setup
	@$(MAKE) --no-print-directory build/build.ninja
	@cmake --build build -j $(JOBS)
	@bench/run.sh

clean:
	rm -rf build

.PHONY: all setup demo test check bench clean force
