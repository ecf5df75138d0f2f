# SPDX-License-Identifier: Apache-2.0
# Two commands do everything: `make play` and `make test`.

.PHONY: help play test attack attack-build examples docs format assets dependencies model schedules faults other-sdls fuzz fuzz-messages fuzz-one verify soak bench bench-quick bench-build bench-nio bench-least

help: ## Say what there is
	@echo "make play      build and play Skirmish (without a display: ten seconds of it, and a summary)"
	@echo "make test      build and run every test"
	@echo "make attack    play hostile peers against the sockets and the networked examples, some minutes: frames, memory, descriptors"
	@echo "make examples  build the examples, and say how to start them"
	@echo "make model     search the model of the tick and the wake protocol completely, and see each of its mutants caught; some minutes"
	@echo "make schedules play 10,000 schedules of the real code from seeds, and see the model's mutants found in it; SCHEDULES=100000 FIRST=10001 plays others"
	@echo "make fuzz      sequences of calls, and of Skirmish's messages, from libFuzzer, with the address sanitizer, for SECONDS=60 each"
	@echo "make faults    let each call to the kernel, the C library and SDL fail, a quarter of an hour: an error that says so, or it goes on"
	@echo "make other-sdls  the SDL tests with a newer SDL2, on other video drivers, and with the display's end"
	@echo "make verify    the model, the schedules, the faults, the sequences of calls, the misuse, libFuzzer for a minute, other SDLs, and every test under both sanitizers, the examples' packages included; says how far it is, and at the end what failed"
	@echo "make soak      everything at once for MINUTES=30: a line a second, a table at the end, and whether anything was lost or grew"
	@echo "make docs      build the documentation of the three libraries as one site, .build/docs; a warning is an error"
	@echo "make bench     measure Tandem beside its peers, half an hour; JSON=FILE keeps the figures, COMPARE=FILE compares with others, ONLY=wake,echo chooses (make bench-quick: does it all run?)"
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
	@for name in 11-http-in-the-game 15-dedicated-server 16-public-page 17-game-server; do \
	swift build --package-path Examples/$$name --scratch-path .build-examples --disable-build-manifest-caching || exit 1; done
	Tests/Attacks/attack --packages .build-examples/debug

examples: dependencies
	swift build
	@for example in Examples/*/; do name=$$(basename $$example); \
	if [ -e $$example/Package.swift ]; then echo "swift run --package-path Examples/$$name $$name"; else echo ".build/debug/$$name"; fi; done

model:
	@.ci/dependencies spin gcc
	Tests/Model/run

# In a build folder of its own, .build-schedules; nothing of it is in any other build.
schedules:
	@.ci/dependencies binutils
	Tests/Schedules/run $(if $(SCHEDULES),--schedules $(SCHEDULES)) $(if $(FIRST),--first $(FIRST))

# What libFuzzer finds stands in a file that CallFuzzer or MessageFuzzer plays.
fuzz: dependencies
	$(MAKE) --no-print-directory fuzz-one NAME=CallFuzzer LENGTH=256
	$(MAKE) --no-print-directory fuzz-messages

# What comes over the network, from good messages on.
fuzz-messages: dependencies
	swift build --product MessageFuzzer
	.build/debug/MessageFuzzer --originals .build-fuzz/originals
	$(MAKE) --no-print-directory fuzz-one NAME=MessageFuzzer LENGTH=4096 ORIGINALS=.build-fuzz/originals

fuzz-one:
	swift build --scratch-path .build-fuzz --product $(NAME) -Xswiftc -DFUZZING -Xswiftc -sanitize=fuzzer,address -Xlinker --undefined=LLVMFuzzerTestOneInput
	mkdir -p .build-fuzz/corpus-$(NAME)
	ASAN_OPTIONS=detect_leaks=0 .build-fuzz/debug/$(NAME) -max_total_time=$(or $(SECONDS),60) -max_len=$(LENGTH) -timeout=10 -rss_limit_mb=4096 -artifact_prefix=.build-fuzz/ $(FLAGS) .build-fuzz/corpus-$(NAME) $(ORIGINALS)

# The table that the documentation shows is made anew by TABLE=Sources/Tandem/Tandem.docc/Faults.md.
faults: dependencies
	@.ci/dependencies gcc
	swift build --product FaultProbe
	Tests/Faults/run $(if $(TABLE),--table $(TABLE))

other-sdls: dependencies
	@.ci/dependencies xvfb weston
	swift build --build-tests
	Tests/OtherSDLs/run

# Two parts at a time; what each printed stands in .build-verify. ONLY=schedules chooses.
verify:
	Tests/Verify/run $(if $(ONLY),--only $(ONLY))

soak: dependencies
	swift build --configuration release --product Soak
	.build/release/Soak --minutes $(or $(MINUTES),30)

docs: dependencies
	rm -rf .build/docs
	swift package --allow-writing-to-directory .build/docs generate-documentation --target Tandem --target TandemSDL --target TandemTesting \
	--enable-experimental-combined-documentation --transform-for-static-hosting --warnings-as-errors --output-path .build/docs
	@echo "one site for the three: python3 -m http.server --bind 127.0.0.1 --directory .build/docs, then /documentation"

assets: dependencies
	swift run MakeAssets

format:
	swift format --in-place --recursive Sources Tests Examples Package.swift

bench-build: dependencies
	@.ci/dependencies libuv1-dev libasio-dev libglib2.0-dev pkg-config libx11-dev xvfb python3-venv g++ gcc
	swift build --configuration release --product TandemBench
	@$(MAKE) --no-print-directory --file Tests/Benchmarks/Peers/Makefile

# In a package of its own; without it the bench leaves that peer out.
bench-nio:
	swift build --configuration release --package-path Tests/Benchmarks/Peers/nio --scratch-path .build-nio \
	    || echo "The peer on swift-nio could not be built; it is left out." >&2

bench-least:
	swift build --configuration release --package-path Tests/Benchmarks/Limits --scratch-path .build-limits \
	    || echo "The least programs could not be built; they are left out." >&2

bench: bench-build bench-nio bench-least
	@.ci/dependencies valgrind binutils
	Tests/Benchmarks/run $(if $(JSON),--json "$(JSON)") $(if $(ONLY),--only "$(ONLY)") $(if $(COMPARE),--compare "$(COMPARE)")

bench-quick: bench-build
	Tests/Benchmarks/run --quick $(if $(JSON),--json "$(JSON)")
