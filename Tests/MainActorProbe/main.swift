// SPDX-License-Identifier: Apache-2.0
// MainActorProbe: behaviour 39 to 45 for main-actor code, in a program of its own with a synchronous main, since a test runner's main thread is in the hands of
// the path under test. Prints a line for each fact, and "ok" last.
//
// MainActorProbe executor|dispatchQueue

import Foundation
import SystemPackage
import TandemSDL

setenv("SDL_VIDEODRIVER", "dummy", 1)
SDL_Init(SDL_INIT_VIDEO)
let wanted: MainActorPath = CommandLine.arguments.last == "dispatchQueue" ? .dispatchQueue : .executor
let guest = try SDLGuest(mainActor: wanted)
let mainThread = pthread_self()
var failures = 0
var isDone = false

@MainActor func check(_ fact: String, _ holds: Bool = pthread_self() == mainThread) {
    print("\(holds ? "yes" : "NO"): \(fact)")
    if !holds { failures += 1 }
}

@MainActor final class Model {
    var count = 0
    func add() { count += 1 }
}

/// Ticks as an idle host does, until `condition` holds; a minute at most.
@MainActor func work(until condition: () -> Bool) {
    let end = ContinuousClock.now + .seconds(60)
    var event = SDL_Event()
    while !condition(), ContinuousClock.now < end {
        _ = guest.waitEvent(&event, timeout: .seconds(60))
        guest.tick()
    }
    check("the idle host was woken", condition())
}

check("the path is the one that was asked for", guest.loop.mainActorPath == wanted)

let model = Model()
Task { @MainActor in
    check("Task { @MainActor in }")
    try await Task.sleep(for: .milliseconds(1))
    check("after Task.sleep")
    try await guest.loop.sleep(for: .milliseconds(1))
    check("after a sleep of the loop's")
    try await GameClock(guest.loop).sleep(for: .milliseconds(1))
    check("after a sleep of a game clock's")
    async let first: Void = { @MainActor in
        model.add()
        check("async let")
    }()
    await withTaskGroup(of: Void.self) { group in
        for _ in 0..<10 { group.addTask { await model.add() } }
    }
    await first
    check("all eleven children updated the model", model.count == 11)
    await Task.detached { await MainActor.run { check("MainActor.run from elsewhere") } }.value
    check("after a detached task's value")
    isDone = true
}
work { isDone }

isDone = false
Thread.detachNewThread {
    usleep(20_000)  // Likely after the host has gone to sleep; right either way.
    DispatchQueue.main.async {
        MainActor.assumeIsolated {
            check("DispatchQueue.main.async from a thread")
            isDone = true
        }
    }
}
work { isDone }

isDone = false
DispatchQueue.main.asyncAfter(deadline: .now() + .milliseconds(5)) {
    check("DispatchQueue.main.asyncAfter")
    isDone = true
}
work { isDone }

// MARK: - Cancellation, races, timeouts (41, 42, 43)

enum Mark { @TaskLocal static var value = "none" }

/// Starts a main-actor task that waits, cancels it, and says how it ended.
@MainActor func cancelled(_ wait: @escaping @MainActor () async throws -> Void) -> String {
    var end = ""
    let task = Task { @MainActor in
        do { try await wait() } catch is CancellationError { end = "cancelled" } catch { end = "\(error)" }
        if end.isEmpty { end = "not cancelled" }
    }
    guest.loop.callSoon { task.cancel() }
    work { !end.isEmpty }
    return end
}

let clock = GameClock(guest.loop)
clock.isPaused = true
check("a cancelled sleep", cancelled { try await guest.loop.sleep(for: .seconds(1000)) } == "cancelled")
check("a cancelled sleep on a paused clock", cancelled { try await clock.sleep(for: .seconds(1)) } == "cancelled")
check("a cancelled wait for a frame", cancelled { try await guest.waitForFrames(1_000_000) } == "cancelled")
check("a cancelled wait for a key", cancelled { try await guest.nextKey() } == "cancelled")
let ends = try FileDescriptor.pipe()
check(
    "a cancelled wait for a descriptor",
    cancelled { try await guest.loop.waitUntilReadable(ends.readEnd) } == "cancelled")
check("nothing is left behind", guest.loop.waiting.isEmpty && !guest.loop.hasFrameWaiters)

var ended = 0
let rounds = 100_000
let canceller = DispatchQueue(label: "canceller")
for round in 0..<rounds {
    let task = Task { @MainActor in
        if round % 2 == 0 {
            try? await guest.loop.sleep(for: .nanoseconds(round % 3000))
        } else {
            _ = try? await guest.nextFrame()
        }
        ended += 1
    }
    canceller.async { task.cancel() }
    if round % 64 == 0 { guest.tick() }
}
work { ended == rounds }
check("each race of a cancellation with a completion ended once", ended == rounds)

isDone = false
Task { @MainActor in
    do {
        try await withTimeout(.milliseconds(5), clock: guest.loop.clock) {
            try await guest.loop.sleep(for: .seconds(1000))
        }
        check("the clock wins", false)
    } catch {
        check("the clock wins", (error as? TimeoutError)?.limit == .milliseconds(5))
    }
    let value = try await withTimeout(.seconds(1000), clock: guest.loop.clock) { 7 }
    check("the operation wins", value == 7)
    isDone = true
}
work { isDone }
check("the losers are gone", guest.loop.waiting.isEmpty)

// MARK: - Frames and task-local values (44, 45)

isDone = false
var order: [String] = []
for name in ["a", "b", "c"] {
    Task { @MainActor in
        await Mark.$value.withValue(name) {
            for await frame in guest.frames {
                order.append("\(frame.number)\(Mark.value)")
                if order.count >= 9 { break }
            }
        }
        if name == "a" { isDone = true }
    }
}
var ticks = 0
while !isDone, ticks < 1_000_000 {
    guest.tick()
    if Mark.value != "none" { check("no task-local value leaks to the frame", false) }
    ticks += 1
    // Without our executors a task comes back by way of other threads, which need a moment between two frames.
    if wanted == .dispatchQueue { usleep(1000) }
}
let numbers = order.compactMap { Int($0.dropLast()) }
check(
    "frames come once for each task, one after the other",
    Set(order).count == order.count && numbers == numbers.sorted())
if wanted == .executor {
    check("in waiting order", order.prefix(9).map { $0.suffix(1) } == ["a", "b", "c", "a", "b", "c", "a", "b", "c"])
}
guest.close()

isDone = false
Task { @MainActor in
    check("main-actor code goes on after the close")
    isDone = true
}
while !isDone, RunLoop.main.run(mode: .default, before: .now + 60) {}
check("it came to its end", isDone)
SDL_Quit()
print(failures == 0 ? "ok" : "\(failures) failures")
exit(failures == 0 ? 0 : 1)
