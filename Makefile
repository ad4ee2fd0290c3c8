# Apus: a numerical-learning library and command-line tool.
#
#   make run     installs what is missing, builds, and shows the main job on a real transformer checkpoint
#   make test    installs what is missing, builds, and runs every test

.PHONY: setup build run test bench docs format lint clean
SHELL := /bin/bash

BUILD := .build/release
SWIFT_SOURCES := Package.swift Sources Tests Benchmarks

setup:
	@Scripts/setup

build: setup
	@swift build -c release --product apus

run: build
	@Scripts/run

test: setup
	@Scripts/test

# Ours against the peers, as ratios of medians; needs python3 and makes its own virtual environment.
bench: build
	@Scripts/bench

docs: setup
	@Scripts/docs

format:
	@swift format --in-place --parallel --recursive $(SWIFT_SOURCES)

lint:
	@swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)

clean:
	@rm -rf .build .build-* apus-report
