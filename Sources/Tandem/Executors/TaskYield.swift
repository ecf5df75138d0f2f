// SPDX-License-Identifier: Apache-2.0
// TaskYield: a task of the main actor that yields stays on its thread.
// Facts:  the standard library's `Task.yield` is isolated to no actor. A main-actor task leaves its thread before that function begins, by a job
//         that looks like the call of any such function, and is resumed on a thread of the pool: which of two tasks that yield in turn comes
//         back first is chance (seen in Swift 6.3).
// Idea:   a function of the same name and type in a module that is imported hides the standard library's. This one keeps its caller's
//         isolation. Where that is the main actor on the thread of the loop that has adopted it, the task goes to the end of the loop's
//         line; everywhere else it is the standard library's.
// Owner:  any thread.

extension Task where Success == Never, Failure == Never {
    /// Lets the other tasks that are ready run first.
    ///
    /// In files that import Tandem this stands in the place of the standard library's function. On the main actor, whose thread ticks a loop, tasks that
    /// yield in turn run in turn and stay on the thread; if the tick's budget is used up, the task goes on in the next tick. For every other
    /// task it is the standard library's.
    public nonisolated(nonsending) static func yield() async {
        let isolation = #isolation
        if isolation === MainActor.shared, let loop = ProgramExecutors.loopHere, loop.isInTick {
            await loop.goToEndOfLine(isolation: isolation)
        } else {
            await Task<Never, Never>._Concurrency::yield()
        }
    }
}
