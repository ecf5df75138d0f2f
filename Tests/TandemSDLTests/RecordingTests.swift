// SPDX-License-Identifier: Apache-2.0
// RecordingTests: a live run and its replay; files that are none.

import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import Tandem
@testable import TandemSDL
@testable import TandemTesting

/// Told to another thread, which then ends.
private final class End: Sendable {
    private let flag = Atomic<Bool>(false)
    var hasCome: Bool { flag.load(ordering: .acquiring) }
    func come() { flag.store(true, ordering: .releasing) }
}

extension SDL {
    @Suite @MainActor struct RecordingTests {
        private let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).tandem").path

        private nonisolated static let steady = FrameLoop.Pace.fixed(framesPerSecond: 250)

        /// A game in which everything depends on when things happened: keys, timers, sleeps, child tasks.
        private func play(
            _ source: any TimeSource, pace: FrameLoop.Pace = Self.steady, extra: Bool = false,
            begin: (GuestLoop) -> Void
        ) throws -> [String] {
            var configuration = Configuration()
            configuration.timeSource = source
            // Main-actor jobs of the test runner's and of other suites' are no part of the run. They are kept out from the beginning: one that
            // came in before would run in the first tick.
            configuration.admitsOthers = false
            return try withGuest(configuration: configuration) { guest in
                begin(guest.loop)
                var journal: [String] = []
                let start = guest.loop.now
                func note(_ line: String) { journal.append("\(start.duration(to: guest.loop.now)) \(line)") }
                let clock = GameClock(guest.loop)
                let frames = FrameLoop(guest, pace: pace, fixedStep: .milliseconds(3))
                frames.frameLimit = 120
                guest.run {
                    while true {
                        let kinds = await withTaskGroup(of: Int.self, returning: [Int].self) { group in
                            for number in 1...3 {
                                group.addTask {
                                    try? await clock.sleep(for: .microseconds(700 * (4 - number)))
                                    if number == 2 { try? await Task.sleep(for: .milliseconds(2)) }
                                    return number
                                }
                            }
                            var kinds: [Int] = []
                            for await kind in group { kinds.append(kind) }
                            return kinds
                        }
                        note("children \(kinds) in \(try await guest.nextFrame().number)")
                    }
                }
                guest.run { for await event in guest.events() { note("event \(event.type)") } }
                if extra { guest.loop.callLater(.milliseconds(50)) { note("extra") } }
                frames.run(
                    event: { note("key \($0.key.keysym.sym)") },
                    fixedUpdate: { _ in note("step") },
                    update: { note("frame \($0.number) \($0.delta) \($0.blend)") })
                note("end")
                return journal
            }
        }

        private func record(pace: FrameLoop.Pace = Self.steady) throws -> [String] {
            let recorder = try Recorder(file: file, notes: ["seed": "7"])
            let end = End()
            // Keys come when they come.
            let pusher = Thread {
                var key = SDL_Event()
                key.type = SDL_KEYDOWN.rawValue
                for number in 0..<40 where !end.hasCome {
                    key.key.keysym.sym = Int32(number)
                    SDL_PushEvent(&key)
                    // What the main queue runs is nobody's on the loop, and no part of the run.
                    if number % 8 == 0 { DispatchQueue.main.async {} }
                    usleep(UInt32(3000 + number % 7 * 1311))
                }
            }
            let journal = try play(recorder, pace: pace) { loop in
                recorder.begin(on: loop)
                pusher.start()
            }
            end.come()
            try recorder.finish()
            return journal
        }

        /// Drawn at a pace of its own, and only when something has happened.
        @Test(arguments: [Self.steady, .onDemand])
        func aLiveRunIsGivenBackExactly(pace: FrameLoop.Pace) throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            let live = try record(pace: pace)
            #expect(live.contains { $0.contains("children") })
            #expect(live.contains { $0.contains("event \(SDL_KEYDOWN.rawValue)") })
            let recording = try Recording(contentsOf: file)
            #expect(recording.notes == ["seed": "7"])
            #expect(recording.frames == 120)
            for _ in 0..<3 {
                let replayer = Replayer(recording)
                let again = try play(replayer, pace: pace) { replayer.begin(on: $0) }
                try replayer.finish()
                #expect(again == live)
            }
        }

        /// As when other suites run beside this one.
        @Test func mainActorJobsOfOtherThreadsAreNoPartOfARun() throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            let end = End()
            let others = Thread {
                while !end.hasCome {
                    Task.detached { @MainActor in }
                    usleep(50)
                }
            }
            others.start()
            defer { end.come() }
            let live = try record()
            let recording = try Recording(contentsOf: file)
            for _ in 0..<3 {
                let replayer = Replayer(recording)
                let again = try play(replayer) { replayer.begin(on: $0) }
                try replayer.finish()
                #expect(again == live)
            }
        }

        /// Two timers, then two chains of callbacks; `hinder` is called after so many of the first chain. Returns what ran, and when.
        private func chains(
            _ loop: GuestLoop, _ frame: (() -> Void) -> Void, hinderedAfter hindered: Int,
            _ hinder: @escaping () -> Void
        ) -> [String] {
            var journal: [String] = []
            let start = loop.now
            func note(_ line: String) { journal.append("\(start.duration(to: loop.now)) \(line)") }
            func call(_ chain: String, _ number: Int) {
                loop.callSoon {
                    note("\(chain)\(number)")
                    if chain == "a", number == hindered { hinder() }
                    if number < 20 { call(chain, number + 1) }
                }
            }
            for _ in 0..<5 {
                frame {
                    for chain in ["a", "b"] {
                        loop.callLater(.zero) { note("timer \(chain)") }
                        call(chain, 1)
                    }
                    if hindered == 0 { hinder() }
                }
            }
            return journal
        }

        /// The hindrance: a handler that is no part of the run, and takes longer than a tick may. It comes in a tick's first pass or a later one.
        @Test(arguments: [0, 3]) func whatIsNoPartOfTheRunMayUseUpATicksBudget(hinderedAfter hindered: Int) throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            let recorder = try Recorder(file: file)
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: Configuration(budget: .milliseconds(10), timeSource: recorder))
            defer { loop.close() }
            let pipe = Pipe()
            func write(_ byte: UInt8) { pipe.fileHandleForWriting.write(Data([byte])) }
            _ = try loop.serve(FileDescriptor(rawValue: pipe.fileHandleForReading.fileDescriptor)) {
                if pipe.fileHandleForReading.availableData.contains(1) { usleep(20_000) }
            }
            recorder.begin(on: loop)
            let live = chains(
                loop,
                { body in
                    recorder.frame(body)
                    // A tick with the turn polls also in its later passes.
                    write(0)
                    for _ in 0..<200_000 where !loop.shared.pending.contains(.turn) { usleep(100) }
                    while host.tick().carriedOver > 0 {}
                }, hinderedAfter: hindered
            ) { write(1) }
            try recorder.finish()
            loop.close()
            let recording = try Recording(contentsOf: file)
            #expect(recording.steps.count { if case .spent = $0 { true } else { false } } >= 5)

            let replayer = Replayer(recording)
            let again = ManualHost()
            let replayed = try again.makeLoop(
                configuration: Configuration(budget: .milliseconds(10), timeSource: replayer))
            defer { replayed.close() }
            replayer.begin(on: replayed)
            let journal = chains(replayed, { _ = replayer.frame(of: replayed, $0) }, hinderedAfter: hindered) {}
            try replayer.finish()
            #expect(journal == live)
        }

        @Test func aProgramThatDiffersIsToldWhereAndInWhat() throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            _ = try record()
            let replayer = Replayer(try Recording(contentsOf: file))
            _ = try play(replayer, extra: true) { replayer.begin(on: $0) }
            let divergence = #expect(throws: Replayer.Divergence.self) { try replayer.finish() }
            #expect(divergence?.found.contains("timer TandemSDLTests/RecordingTests.swift") == true)
            #expect(divergence.map { (1..<120).contains($0.frame) } == true)
        }

        @Test func aReplayThatEndsEarlyIsTold() throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            _ = try record()
            let replayer = Replayer(try Recording(contentsOf: file))
            let error = #expect(throws: Replayer.Divergence.self) { try replayer.finish() }
            #expect(error?.found == "the run ended")
        }

        @Test func filesThatAreNoRecordingsAreToldApart() throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            _ = try record()
            let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
            func message(_ bytes: [UInt8]) -> String {
                do throws(Recording.Failure) {
                    _ = try Recording(bytes: bytes, name: "run")
                    return "none"
                } catch { return error.description }
            }
            #expect(message(whole) == "none")
            #expect(message([]).hasPrefix("run is no recording"))
            #expect(message(Array("{\"seed\": 7}".utf8)).hasPrefix("run is no recording"))
            var newer = whole
            newer[Recording.magic.count] = 99
            #expect(message(newer).hasPrefix("run is a recording of version 99"))
            // Cut anywhere: told, or taken up to there.
            for length in stride(from: Recording.magic.count + 1, to: whole.count, by: 97) {
                #expect(message(Array(whole.prefix(length))).contains("is cut off after step"))
            }
            let half = try Recording(bytes: Array(whole.prefix(whole.count / 2)), name: "run", allowsCut: true)
            #expect(half.frames > 10 && half.frames < 120)
            var damaged = whole
            damaged[whole.count - 1] = 200
            #expect(message(damaged).contains("unknown code 200"))
            #expect(throws: Recording.Failure.self) { try Recording(contentsOf: "/nonexistent/run") }
            #expect(throws: Recording.Failure.self) { try Recorder(file: "/nonexistent/run") }
        }
    }
}
