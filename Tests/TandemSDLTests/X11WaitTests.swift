// SPDX-License-Identifier: Apache-2.0
// X11WaitTests: the idle wait on the X connection and the waker, against a virtual X server where one is installed.

import Foundation
import TandemCSDLVideo
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite(.enabled(if: XServer.isInstalled, "Xvfb is not installed")) @MainActor struct X11WaitTests {
        /// Runs `body` with a guest and a window on a server of its own.
        private func withWindow(_ body: (SDLGuest, OpaquePointer) throws -> Void) throws {
            let server = try XServer()
            defer { server.end() }
            setenv("DISPLAY", server.display, 1)
            setenv("SDL_VIDEODRIVER", "x11", 1)
            try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
            defer { SDL_Quit() }
            let guest = try SDLGuest(handlesInterrupts: false)
            defer { guest.close() }
            // Not within the macro, which lets a string's bytes go before the call that they are for.
            let made = SDL_CreateWindow("X11WaitTests", 0, 0, 64, 64, SDL_WINDOW_SHOWN.rawValue)
            let window = try #require(made)
            defer { SDL_DestroyWindow(window) }
            try #require(tandem_x11_connection() >= 0)
            try body(guest, window)
        }

        @Test func postsTimersAndPushedEventsEndTheWait() throws {
            try withWindow { guest, _ in
                let user = SDL_RegisterEvents(1)
                let count = Box(0)
                for round in 1...150 {
                    switch round % 3 {
                    case 0: Thread.detachNewThread { try? guest.loop.post { count.value += 1 } }
                    case 1: guest.loop.callLater(.microseconds(700)) { count.value += 1 }
                    default:
                        Thread.detachNewThread {
                            var event = SDL_Event()
                            event.type = user
                            SDL_PushEvent(&event)
                        }
                    }
                    #expect(
                        guest.work(event: { if $0.type == user { count.value += 1 } }, until: { count.value == round }))
                }
            }
        }

        /// What calls no watch is found by a look at the queue.
        @Test func anEventThatIsAddedWithoutAPushEndsTheWait() throws {
            try withWindow { guest, _ in
                let user = SDL_RegisterEvents(1)
                Thread.detachNewThread {
                    usleep(700_000)
                    var event = SDL_Event()
                    event.type = user
                    SDL_PeepEvents(&event, 1, SDL_ADDEVENT, 0, 0)
                }
                var isSeen = false
                let start = ContinuousClock.now
                #expect(guest.work(event: { if $0.type == user { isSeen = true } }, until: { isSeen }))
                // Slept over, it would have been found at the end of the time only.
                #expect(ContinuousClock.now < start + .seconds(15))
            }
        }

        /// Here SDL's own wait sleeps on the X connection: adding the hint wakes it as a push would.
        @Test func theHintEndsSDLsOwnWait() throws {
            try withWindow { guest, _ in
                let count = Box(0)
                for round in 1...50 {
                    let start = ContinuousClock.now
                    Thread.detachNewThread { try? guest.loop.post { count.value += 1 } }
                    var event = SDL_Event()
                    while count.value < round, ContinuousClock.now < start + .seconds(15) {
                        if SDL_WaitEventTimeout(&event, 20_000) != 0 { _ = guest.handle(event) }
                        guest.tick()
                    }
                    #expect(count.value == round)
                    guard ContinuousClock.now < start + .seconds(15) else {
                        Issue.record("SDL's wait slept over the hint of round \(round)")
                        return
                    }
                }
            }
        }

        /// The answer to a question reads all that the connection has: what came before it stands in Xlib's memory, where no descriptor
        /// tells of it.
        @Test func anEventThatXlibHasReadAlreadyIsNotSleptOver() throws {
            try withWindow { guest, window in
                for round in 1...20 {
                    SDL_WarpMouseInWindow(window, Int32(10 + round), 10)
                    var isSeen = false
                    #expect(
                        guest.work(
                            event: { if $0.type == SDL_MOUSEMOTION.rawValue { isSeen = true } }, until: { isSeen }))
                }
            }
        }

        /// Behaviour 15: where the wait is ours, nothing but the timer ends it.
        @Test func theIdleWaitSleepsUntilTheTimer() throws {
            try withWindow { guest, _ in
                // The server's messages about a new window come for a while, longer on a busy machine: they end sleeps, too.
                var sleeps: [Int] = []
                while (sleeps.last ?? .max) >= 12, sleeps.count < 10 {
                    var fired = false
                    guest.loop.callLater(.milliseconds(1200)) { fired = true }
                    let before = switches()
                    #expect(guest.work { fired })
                    sleeps.append(switches() - before)
                }
                #expect(sleeps.last! < 12, "the main thread went to sleep \(sleeps) times")
            }
        }
    }
}

/// A virtual X server of the test's own.
private struct XServer {
    private static let path = "/usr/bin/Xvfb"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

    private let process = Process()
    let display: String

    /// Starts one; it chooses a free number and says so when it is ready.
    init() throws {
        let answer = Foundation.Pipe()
        process.executableURL = URL(fileURLWithPath: Self.path)
        process.arguments = ["-displayfd", "1", "-screen", "0", "320x240x24", "-nolisten", "tcp"]
        process.standardOutput = answer
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: answer.fileHandleForReading.availableData, as: UTF8.self)
        let number = try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)), "Xvfb said \(text)")
        display = ":\(number)"
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }
}
