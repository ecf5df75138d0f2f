// SPDX-License-Identifier: Apache-2.0
// MainActorProbe: conformance 39 in a program of its own, with a synchronous main, since a test runner's main thread is in the hands of
// the path under test. Prints a line for each fact, and "ok" last.
//
// MainActorProbe executor|dispatchQueue

import CSDL2
import Foundation
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

isDone = false
Task { @MainActor in
    // Frames of a loop of one's own: each tick is one.
    let first = try await guest.nextFrame()
    let second = try await guest.nextFrame()
    check("two frames, one after the other", second.number == first.number + 1)
    isDone = true
}
var ticks = 0
while !isDone, ticks < 1_000_000 {
    guest.tick()
    ticks += 1
    if wanted == .dispatchQueue { usleep(100) }
}
check("frames came", isDone)
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
