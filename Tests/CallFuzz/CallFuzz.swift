// SPDX-License-Identifier: Apache-2.0
// CallFuzz: plays a sequence of calls on a real loop, in virtual time, beside the reference, and compares.
// Owner:  the calling thread, which must have no open loop.

import Foundation
import SystemPackage
import Tandem
import TandemTesting

/// A sequence that was played.
public final class CallFuzz {
    private struct Failure: Error {}

    private struct Watch {
        let reader: FileDescriptor
        let writer: FileDescriptor
        let handle: IOHandle
        var isOpen = true
        var isLive = true
        var written = 0
        var read = 0
    }

    private final class TaskState {
        var run: GuestRun<Void>?
        /// In the loop's milliseconds, or the game's.
        let deadline: Int
        let isOfTheGame: Bool
        var wasCancelled = false
        var outcomes = 0
        var error: (any Error)?

        init(deadline: Int, isOfTheGame: Bool = false) {
            self.deadline = deadline
            self.isOfTheGame = isOfTheGame
        }

        func end(_ result: Result<Void, any Error>) {
            outcomes += 1
            if case .failure(let error) = result { self.error = error }
        }
    }

    private final class SceneState {
        var scene: GuestScene?
        var hasEnded = false
        var callbacks = 0
        var lateCallbacks = 0
    }

    private final class Counter: @unchecked Sendable {
        // Safe to send: touched on the loop's thread.
        var value = 0
    }

    private let reference = Reference()
    private let clock = VirtualClock()
    private let host = ManualHost()
    private let loop: GuestLoop
    private let game: GameClock
    private let origin: ContinuousClock.Instant
    private var gameTime = 0
    private var isPaused = false
    private var log: [Int] = []
    private let errorCounter: Counter
    private var refusedPosts = 0
    private var handles: [Int: CallbackHandle] = [:]
    private var watches: [Int: Watch] = [:]
    private var tasks: [Int: TaskState] = [:]
    private var scenes: [Int: SceneState] = [:]
    private var depth = 0
    private var hasClosed = false
    private var failure: String?

    /// Plays the bytes; what was wrong, or `nil`.
    public static func play(_ bytes: [UInt8]) -> String? {
        do { return try CallFuzz().play(CallSequence(bytes)) } catch { return "no loop could be made: \(error)" }
    }

    private init() throws {
        var configuration = Configuration(budget: .seconds(20))
        configuration.timeSource = clock
        // What is ready runs at a close without it, so that the machine's time decides nothing.
        configuration.closeGrace = .zero
        configuration.logger.logLevel = .critical
        let counter = Counter()
        configuration.errorHandler = { _, _ in counter.value += 1 }
        loop = try host.makeLoop(configuration: configuration)
        game = GameClock(loop)
        origin = loop.now
        errorCounter = counter
    }

    private func play(_ sequence: CallSequence) -> String? {
        for step in sequence.steps {
            performBoth(step)
            if failure != nil { break }
        }
        if failure == nil { performBoth(.close) }
        loop.close()
        if failure == nil { checkEnd() }
        for watch in watches.values {
            if watch.isOpen { try? watch.reader.close() }
            try? watch.writer.close()
        }
        return failure
    }

    private func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds, failure == nil { failure = what() }
    }

    private func performBoth(_ step: Step) {
        if case .settle = step {
            settle()
        } else {
            _ = reference.perform(step)
            _ = perform(step)
        }
        compare("after \(step)")
    }

    private func compare(_ place: @autoclosure () -> String) {
        // A close in a tick lets each queue run one more piece; whether that is a task's, the reference does not know.
        if reference.hasClosedInTick, !tasks.isEmpty { return }
        expect(log == reference.log, "\(place()): the loop ran \(log), expected \(reference.log)")
        expect(
            errorCounter.value == reference.errors,
            "\(place()): \(errorCounter.value) errors, expected \(reference.errors)")
        expect(
            refusedPosts == reference.refusedPosts,
            "\(place()): \(refusedPosts) posts refused, expected \(reference.refusedPosts)")
        if reference.mustHaveWork {
            expect(loop.hasWork, "\(place()): hasWork is false, though a tick would run something")
        }
    }

    /// `false` ends the callback that it is in.
    private func perform(_ step: Step) -> Bool {
        switch step {
        case .arm(let id, let milliseconds, let steps):
            handles[id] = loop.callLater(.milliseconds(milliseconds)) { [unowned self] in try body(id, steps) }
        case .callSoon(let id, let steps):
            handles[id] = loop.callSoon { [unowned self] in try body(id, steps) }
        case .post(let id, let steps): post(id, steps)
        case .postFromElsewhere(let id, let steps):
            let done = DispatchSemaphore(value: 0)
            // Safe: this thread waits for the other one.
            nonisolated(unsafe) let fuzz = self
            Thread.detachNewThread {
                fuzz.post(id, steps)
                done.signal()
            }
            done.wait()
        case .cancel(let id): handles[id]?.cancel()
        case .fail: return false
        case .tick:
            let report = host.tick()
            if depth > 0 {
                // A loop that has closed says nothing of nesting.
                expect(report.isEmpty, "a tick inside of a callback ran something")
            }
        case .advance(let milliseconds):
            clock.advance(by: .milliseconds(milliseconds))
            if !isPaused { gameTime += milliseconds }
        case .watch(let id): watch(id)
        case .write(let id):
            guard watches[id] != nil, watches[id]!.isOpen else { return true }
            _ = try? watches[id]!.writer.writeAll([1])
            watches[id]!.written += 1
        case .cancelWatch(let id):
            watches[id]?.handle.cancel()
            watches[id]?.isLive = false
        case .closeReader(let id):
            guard watches[id]?.isOpen ?? false else { return true }
            watches[id]!.isOpen = false
            watches[id]!.isLive = false
            try? watches[id]!.reader.close()
        case .task(let id, let milliseconds): task(id, milliseconds, isOfTheGame: false)
        case .gameTask(let id, let milliseconds): task(id, milliseconds, isOfTheGame: true)
        case .cancelTask(let id):
            if let task = tasks[id], task.outcomes == 0 {
                task.wasCancelled = true
                task.run?.cancel()
            }
        case .scene(let id, let milliseconds): scene(id, milliseconds)
        case .endScene(let id):
            if let state = scenes[id], let scene = state.scene, !state.hasEnded {
                state.hasEnded = true
                scene.end()
            }
        case .pause(let pauses):
            guard !hasClosed else { return true }
            isPaused = pauses
            game.isPaused = pauses
        case .settle: settle()
        case .close:
            hasClosed = true
            loop.close()
        }
        return true
    }

    private func body(_ id: Int, _ steps: [Step]) throws {
        log.append(id)
        depth += 1
        defer { depth -= 1 }
        for step in steps where !perform(step) { throw Failure() }
    }

    private func post(_ id: Int, _ steps: [Step]) {
        // Safe: the body runs on the loop's thread, which owns this object.
        nonisolated(unsafe) let fuzz = self
        do { try loop.post { try fuzz.body(id, steps) } } catch { refusedPosts += 1 }
    }

    private func watch(_ id: Int) {
        guard !hasClosed, let pipe = try? FileDescriptor.pipe() else { return }
        do {
            let handle = try loop.whenReadable(pipe.readEnd) { [unowned self] in readable(id) }
            watches[id] = Watch(reader: pipe.readEnd, writer: pipe.writeEnd, handle: handle)
        } catch {
            expect(false, "a new pipe could not be watched: \(error)")
        }
    }

    private func readable(_ id: Int) {
        guard let watch = watches[id] else { return }
        expect(watch.isLive, "the handler of watch \(id) ran after its end")
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { try? watch.reader.read(into: $0) } ?? 0
        expect(count > 0, "the handler of watch \(id) ran without anything to read")
        watches[id]!.read += count
    }

    private func task(_ id: Int, _ milliseconds: Int, isOfTheGame: Bool) {
        let (loop, game, origin) = (loop, game, origin)
        let deadline = (isOfTheGame ? gameTime : reference.now) + milliseconds
        let state = TaskState(deadline: deadline, isOfTheGame: isOfTheGame)
        tasks[id] = state
        state.run = loop.run {
            if isOfTheGame {
                try await game.sleep(until: .init(elapsed: .milliseconds(deadline)))
            } else {
                try await loop.sleep(until: origin.advanced(by: .milliseconds(deadline)))
            }
        } onDone: {
            state.end($0)
        }
    }

    private func scene(_ id: Int, _ milliseconds: Int) {
        guard !hasClosed else { return }
        let state = SceneState()
        scenes[id] = state
        let task = TaskState(deadline: .max)
        tasks[id] = task
        let loop = loop
        // Safe: everything of it happens on the loop's thread.
        nonisolated(unsafe) let shared = state
        task.run = loop.run {
            try await loop.withScene { scene in
                shared.scene = scene
                scene.callLater(.milliseconds(milliseconds)) {
                    shared.callbacks += 1
                    if shared.hasEnded { shared.lateCallbacks += 1 }
                }
                try await loop.sleep(for: .seconds(1_000_000))
            }
        } onDone: {
            task.end($0)
        }
    }

    /// Until the loop has nothing to do, and every watch has read what was written.
    private func settle() {
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while !hasClosed, failure == nil {
            reference.tick()
            host.tick()
            if loop.hasWork { continue }
            guard watches.values.contains(where: { $0.isLive && $0.read < $0.written }) else { break }
            guard ContinuousClock.now < end else {
                return expect(false, "what was written to a watched pipe was not read in 20 s")
            }
            _ = host.waitForRequest(within: .milliseconds(100))
        }
        guard !hasClosed else { return }
        for (id, task) in tasks where scenes[id] == nil {
            let isDue = task.deadline <= (task.isOfTheGame ? gameTime : reference.now)
            expect(
                task.outcomes == (isDue || task.wasCancelled ? 1 : 0),
                "task \(id) was told \(task.outcomes) outcomes, due: \(isDue), cancelled: \(task.wasCancelled)")
            if task.outcomes == 1, !task.wasCancelled {
                expect(task.error == nil, "task \(id) ended with \(task.error!)")
            }
            if task.outcomes == 1, task.wasCancelled, !isDue {
                expect(
                    task.error is CancellationError,
                    "task \(id), which was cancelled, ended with \(String(describing: task.error))")
            }
        }
        for (id, state) in scenes {
            let hasEnded = state.hasEnded || tasks[id]!.wasCancelled
            expect(
                tasks[id]!.outcomes == (hasEnded ? 1 : 0),
                "scene \(id) was told \(tasks[id]!.outcomes) ends, ended: \(hasEnded)")
        }
    }

    private func checkEnd() {
        compare("at the end")
        for (id, task) in tasks {
            expect(task.outcomes == 1, "task \(id) was told \(task.outcomes) outcomes by the end")
        }
        for (id, state) in scenes {
            expect(state.callbacks <= 1, "the callback of scene \(id) ran \(state.callbacks) times")
            expect(state.lateCallbacks == 0, "the callback of scene \(id) ran after the scene's end")
        }
        for (id, handle) in handles { expect(handle.isDone, "callback \(id) is not done after the close") }
        expect(
            loop.statistics.timers == 0 && loop.statistics.registrations == 0,
            "timers or watches are left after the close")
        expect(loop.hasWork == false, "a closed loop has work")
    }
}

extension CallFuzz {
    /// The shortest string of bytes found that fails like this one, by leaving parts out.
    public static func shrunk(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var length = max(1, bytes.count / 2)
        while length >= 1 {
            var start = 0
            while start < bytes.count {
                var shorter = bytes
                shorter.removeSubrange(start..<min(bytes.count, start + length))
                if play(shorter) != nil { bytes = shorter } else { start += length }
            }
            length /= 2
        }
        return bytes
    }
}
