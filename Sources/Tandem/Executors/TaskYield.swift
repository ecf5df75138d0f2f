// SPDX-License-Identifier: Apache-2.0
// TaskYield: a task of the main actor that calls `Task.yield` stays on its thread.
// Facts:  the standard library's `Task.yield` is isolated to no actor. A main-actor task leaves its thread before that
//         function begins, with a job that looks like the call of any such function, and is resumed on a thread of the
//         pool. Which of two tasks that yield in turn comes back first is chance (seen with Swift 6.3).
// Idea:   a function with the same name and type in an imported module hides the one of the standard library. Ours
//         keeps its caller's isolation. If that is the main actor, on the thread of the loop that has adopted it, the
//         task goes to the end of the loop's queue. Everywhere else ours calls the standard library's.
// Owner:  any thread.

extension Task where Success == Never, Failure == Never {
    /// Lets the other tasks that are ready run first.
    ///
    /// In files that import Tandem, this function replaces the standard library's. On the main actor, whose thread
    /// ticks a loop, tasks that yield in turn run in turn and stay on the thread. If the tick's budget is used up, the
    /// task goes on in the next tick. For every other task it calls the standard library's function.
    public nonisolated(nonsending) static func yield() async {
        let isolation = #isolation
        if isolation === MainActor.shared, let loop = ProgramExecutors.loopHere, loop.isInTick {
            await loop.goToEndOfQueue(isolation: isolation)
        } else {
            await Task<Never, Never>._Concurrency::yield()
        }
    }
}
