// SPDX-License-Identifier: Apache-2.0
// ModalLoopTests: a loop inside of the loop, from a frame, a callback, a task, a phase. Behaviour 22.

import Foundation
import Logging
import Synchronization
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct ModalLoopTests {
        /// Runs the loop until `condition` holds, as a pause menu would.
        private func menu(_ host: ManualHost, until condition: () -> Bool) -> Bool {
            host.loop.runModal { host.run(until: condition) }
        }

        @Test func aModalLoopInACallbackRunsEverythingElse() throws {
            try withLoop { host, loop in
                let pipe = try Pipe()
                let journal = Journal([])
                let watch = try loop.whenReadable(pipe.reader) {
                    _ = pipe.read()
                    journal.note("descriptor")
                }
                loop.callSoon {
                    journal.note("menu opens")
                    loop.callSoon { journal.note("callback") }
                    loop.callLater(.milliseconds(1)) { journal.note("timer") }
                    try? pipe.write()
                    Thread.detachNewThread { try? loop.post { journal.note("post") } }
                    loop.run {
                        try await loop.sleep(for: .milliseconds(1))
                    } onDone: { _ in
                        journal.note("task")
                    }
                    #expect(menu(host) { journal.value.count == 7 })
                    journal.note("menu closes")
                }
                loop.callSoon { journal.note("behind") }
                #expect(host.run { journal.value.contains("menu closes") })
                #expect(journal.value.first == "menu opens")
                #expect(
                    Set(journal.value.dropFirst().dropLast())
                        == ["behind", "callback", "timer", "descriptor", "post", "task"])
                #expect(loop.statistics.nestedTicks == 0)
                watch.cancel()
            }
        }

        @Test func aModalLoopInATaskLetsTheTaskGoOnAfterwards() throws {
            try withLoop { host, loop in
                enum Mark { @TaskLocal static var value = "none" }
                let thread = pthread_self()
                let journal = Journal([])
                for name in ["a", "b"] {
                    loop.run {
                        await Mark.$value.withValue(name) {
                            try? await loop.sleep(for: .milliseconds(1))
                            let isClosed = Box(false)
                            loop.callLater(.milliseconds(2)) {
                                isClosed.value = true
                            }
                            #expect(menu(host) { isClosed.value })
                            #expect(Mark.value == name)
                            #expect(withUnsafeCurrentTask { $0 != nil })
                            // The runtime knows the task again, and it stays here.
                            try? await loop.sleep(for: .milliseconds(1))
                            await Task.yield()
                            #expect(Mark.value == name)
                        }
                        return pthread_self() == thread
                    } onDone: { result in
                        #expect((try? result.get()) == true)
                        journal.note("done \(name)")
                    }
                }
                #expect(host.run { journal.value.filter { $0.hasPrefix("done") }.count == 2 })
            }
        }

        @Test func modalLoopsNestAndEndFromTheInsideOut() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                func open(_ depth: Int) {
                    loop.callSoon {
                        journal.note("in \(depth)")
                        if depth < 5 { open(depth + 1) }
                        #expect(menu(host) { depth == 5 || journal.value.contains("out \(depth + 1)") })
                        journal.note("out \(depth)")
                    }
                }
                open(0)
                #expect(host.run { journal.value.contains("out 0") })
                #expect(journal.value == (0...5).map { "in \($0)" } + (0...5).reversed().map { "out \($0)" })
            }
        }

        @Test func aPhaseOfAFrameIsPausedToo() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                let number = Number()
                @Sendable func frame() {
                    let number = number.add(1)
                    for phase in FramePhase.allCases {
                        loop.runPhase(phase, of: Frame(number: number, time: loop.now, delta: .zero))
                    }
                }
                loop.run {
                    for await frame in loop.frames { journal.note("other \(frame.number)") }
                }
                loop.run {
                    try await loop.nextFrame()
                    loop.runModal {
                        for _ in 0..<3 {
                            host.tick()
                            frame()
                        }
                    }
                    journal.note("closes")
                    try await loop.nextFrame()
                    journal.note("goes on")
                }
                host.tick()
                frame()
                frame()
                #expect(
                    journal.value == ["other 1", "other 2", "other 3", "other 4", "closes", "other 5", "goes on"]
                        || journal.value == [
                            "other 2", "other 3", "other 4", "closes", "other 5", "goes on",
                        ], "\(journal.value)")
            }
        }

        /// What was done while a tick stood aside is not its own. However long the machine lets the thread wait, the
        /// modal loop and the tick's own time together are no longer than the call of `tick`.
        @Test func aPausedTickDoesNotCountTheModalLoopsTime() throws {
            let budget = Duration.milliseconds(50)
            try withLoop(configuration: Configuration(budget: budget)) { host, loop in
                var modal = Duration.zero
                loop.callSoon {
                    loop.runModal { modal = ContinuousClock().measure { _ = usleep(100_000) } }
                }
                var report: TickReport?
                let whole = ContinuousClock().measure { report = host.tick() }
                // A tick reads the clock once in ten microseconds.
                let own = whole - modal + .milliseconds(1)
                let elapsed = try #require(report?.elapsed)
                #expect(elapsed < own, "\(elapsed) of \(whole), \(modal) of which are the modal loop's")
                #expect(try #require(report?.overrun) <= max(.zero, own - budget))
                #expect(loop.statistics.longestCallback < own)
            }
        }

        /// Its timers wake the backend, since no tick ends between them and the sleep.
        @Test func aTimerArmedBeforeAModalLoopIsPublished() throws {
            try withLoop { host, loop in
                var isOver = false
                loop.callSoon {
                    loop.callLater(.milliseconds(5)) { isOver = true }
                    // It sleeps elsewhere: only the backend knows of the timer.
                    loop.runModal {
                        #expect(host.waitForRequest())
                        host.tick()
                    }
                }
                #expect(host.run { isOver })
            }
        }

        @Test func closingInAModalLoopTakesEffectWhenThePausedTickEnds() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                loop.run {
                    try await loop.sleep(for: .seconds(1000))
                } onDone: { _ in
                    journal.note("cancelled")
                }
                loop.callSoon {
                    loop.runModal {
                        loop.callSoon {
                            journal.note("closes")
                            loop.close()
                        }
                        for _ in 0..<3 { host.tick() }
                        #expect(!loop.isOpen)
                        // Nothing to pause any more.
                        #expect(loop.runModal { host.tick() }.isEmpty)
                        journal.note("menu ends")
                    }
                }
                host.tick()
                #expect(journal.value == ["closes", "menu ends", "cancelled"])
                #expect(throws: GuestError.self) { try loop.post {} }
            }
        }

        @Test func aNestedTickIsLoggedOnceHoweverOftenItComes() throws {
            let log = Log()
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            try withLoop(configuration: configuration) { host, loop in
                loop.callSoon { for _ in 0..<300 { #expect(loop.tick().isNested) } }
                loop.callSoon { for _ in 0..<300 { #expect(loop.tick().isNested) } }
                host.tick()
                #expect(loop.statistics.nestedTicks == 600)
                #expect(log.lines.filter { $0.contains("runModal") }.count == 1, "\(log.lines)")
            }
        }

        @Test func aHeadlessHostRunsInsideItsOwnCallbacks() throws {
            let host = try HeadlessHost()
            defer { host.close() }
            let loop = host.loop
            let journal = Journal([])
            loop.callSoon {
                let answer = Box(false)
                Thread.detachNewThread {
                    usleep(2_000)
                    try? loop.post { answer.value = true }
                }
                #expect(host.run(within: .seconds(20)) { answer.value })
                journal.note("answered")
                // The wait outside goes on, and still hears.
                Thread.detachNewThread {
                    usleep(2_000)
                    try? loop.post { journal.note("posted") }
                }
            }
            #expect(host.run(within: .seconds(20)) { journal.value == ["answered", "posted"] })
            #expect(loop.statistics.nestedTicks == 0)
        }
    }
}
