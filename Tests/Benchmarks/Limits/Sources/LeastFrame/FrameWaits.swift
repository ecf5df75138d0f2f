// SPDX-License-Identifier: Apache-2.0
// FrameWaits: the tasks that wait for the next frame.
// Owner:  the main thread.

@MainActor final class FrameWaits {
    @exclusivity(unchecked) private var waiting: [LeastWait] = []
    @exclusivity(unchecked) private var resumed: [LeastWait] = []
    @exclusivity(unchecked) private var continuations: [UnsafeContinuation<Void, Never>] = []
    @exclusivity(unchecked) private var resumedContinuations: [UnsafeContinuation<Void, Never>] = []

    /// `wait`: the task's own.
    @inline(never) func nextFrame(_ wait: LeastWait) async throws { try await wait.suspend { waiting.append(wait) } }

    @inline(never) func nextFrame() async { await withUnsafeContinuation { continuations.append($0) } }

    func resume() {
        swap(&waiting, &resumed)
        for wait in resumed { wait.resume() }
        resumed.removeAll(keepingCapacity: true)
        swap(&continuations, &resumedContinuations)
        for continuation in resumedContinuations { continuation.resume() }
        resumedContinuations.removeAll(keepingCapacity: true)
    }
}
