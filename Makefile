# SPDX-License-Identifier: Apache-2.0
# Two commands do everything: `make play` and `make test`.

.PHONY: help play test attack attack-build examples docs format assets dependencies model fuzz verify soak bench bench-quick bench-build

help: ## Say what there is
	@echo "make play      build and play Skirmish (without a display: ten seconds of it, and a summary)"
	@echo "make test      build and run every test"
	@echo "make attack    play hostile peers against the sockets and the networked examples, some minutes: frames, memory, descriptors"
	@echo "make examples  build the examples, and say how to start them"
	@echo "make model     search the model of the tick and the wake protocol completely, and see each of its mutants caught; some minutes"
	@echo "make fuzz      sequences of calls from libFuzzer, with the address sanitizer, for SECONDS=60"
	@echo "make verify    the model, the sequences of calls, the misuse, libFuzzer for a minute, and the suite under both sanitizers"
	@echo "make soak      everything at once for MINUTES=30: a line a second, a table at the end, and whether anything was lost or grew"
	@echo "make docs      build the documentation of the three libraries; a warning is an error"
	@echo "make bench     measure Tandem beside its peers, a quarter of an hour; JSON=FILE keeps the figures, ONLY=wake,echo chooses (make bench-quick: does it all run?)"
	@echo "make assets    make the game's pictures and sounds anew"
	@echo "make format    format the sources"

dependencies:
	@.ci/dependencies libsdl2-dev

play: dependencies
	swift build --configuration release --product Skirmish
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then .build/release/Skirmish; \
	else echo "No display: ten seconds without a window."; .build/release/Skirmish --headless --seconds 10; fi

test: dependencies
	swift build --build-tests
	swift test --skip-build

attack-build: dependencies
	@for name in AttackTarget 09-tcp-chat 10-udp-ping; do swift build --configuration release --product $$name || exit 1; done

attack: attack-build
	@for name in 11-http-in-the-game 15-dedicated-server 16-public-page; do \
	swift build --package-path Examples/$$name --scratch-path .build-examples --disable-build-manifest-caching || exit 1; done
	Tests/Attacks/attack --packages .build-examples/debug

examples: dependencies
	swift build
	@for example in Examples/*/; do name=$$(basename $$example); \
	if [ -e $$example/Package.swift ]; then echo "swift run --package-path Examples/$$name $$name"; else echo ".build/debug/$$name"; fi; done

model:
	@.ci/dependencies spin gcc
	Tests/Model/run

# libFuzzer brings a main of its own. What it finds stands in a file that CallFuzzer plays.
fuzz: dependencies
	swift build --scratch-path .build-fuzz --product CallFuzzer -Xswiftc -DFUZZING -Xswiftc -sanitize=fuzzer,address -Xlinker --undefined=LLVMFuzzerTestOneInput
	mkdir -p .build-fuzz/corpus
	ASAN_OPTIONS=detect_leaks=0 .build-fuzz/debug/CallFuzzer -max_total_time=$(or $(SECONDS),60) -max_len=256 -rss_limit_mb=4096 -artifact_prefix=.build-fuzz/ .build-fuzz/corpus

verify: model
	swift build --build-tests
	swift test --skip-build --filter 'CallFuzzTests|MisuseTests|ModelTests'
	$(MAKE) --no-print-directory fuzz SECONDS=60
	@for sanitizer in thread address; do echo "== the suite under the $$sanitizer sanitizer"; \
	LSAN_OPTIONS="suppressions=$(CURDIR)/.ci/leaks:print_suppressions=0" swift test --sanitize=$$sanitizer --scratch-path .build-$$sanitizer --skip aForkedChildClosesItsGuestAndOffloadsOnALoopOfItsOwn || exit 1; done

soak: dependencies
	swift build --configuration release --product Soak
	.build/release/Soak --minutes $(or $(MINUTES),30)

docs: dependencies
	@for target in Tandem TandemSDL TandemTesting; do \
	swift package generate-documentation --target $$target --warnings-as-errors || exit 1; done

assets: dependencies
	swift run MakeAssets

format:
	swift format --in-place --recursive Sources Tests Examples Package.swift

bench-build: dependencies
	@.ci/dependencies libuv1-dev libasio-dev libx11-dev xvfb python3-venv g++ gcc
	swift build --configuration release --product TandemBench
	@$(MAKE) --no-print-directory --file Tests/Benchmarks/Peers/Makefile

bench: bench-build
	Tests/Benchmarks/run $(if $(JSON),--json "$(JSON)") $(if $(ONLY),--only "$(ONLY)")

bench-quick: bench-build
	Tests/Benchmarks/run --quick $(if $(JSON),--json "$(JSON)")
