// SPDX-License-Identifier: Apache-2.0
// StepBuffer: the steps of long work that nobody has taken yet.
// Idea:   the steps belong to the work, and not to an iterator or a task. If a loop over them is left, or the task that
//         waits for the next step is cancelled, no step is lost and the sequence goes on. (An `AsyncStream` is finished
//         for everybody when one `next` is cancelled.)
// Owner:  a thread of the pool adds steps; the thread of the consumer takes them; the waiter is used on the UI thread
//         only.

import DequeModule

final class StepBuffer<Step: Sendable>: @unchecked Sendable {
    // Safe to send: `waiter` is used on the UI thread only; the other variables are read and written only while `lock`
    // is held.

    private let policy: AsyncStream<Step>.Continuation.BufferingPolicy
    // Not the loop itself: the work must not keep the loop alive.
    private let shared: SharedState
    private let site: CallSite
    private let lock = Lock()
    private var steps: Deque<Step> = []
    private var isFinished = false
    /// A task waits: the next step that is added has to wake it.
    private var isAwaited = false
    private var waiter: Waiter?

    init(_ policy: AsyncStream<Step>.Continuation.BufferingPolicy, _ site: CallSite, on loop: GuestLoop) {
        self.policy = policy
        self.site = site
        shared = loop.shared
    }

    func add(_ step: Step) {
        change {
            switch policy {
            case .bufferingOldest(let limit) where steps.count >= limit: return
            case .bufferingNewest(let limit) where steps.count >= limit:
                if limit <= 0 { return }
                steps.removeFirst()
            default: break
            }
            steps.append(step)
        }
    }

    func finish() { change { isFinished = true } }

    private func change(_ body: () -> Void) {
        lock.lock()
        body()
        let wakes = isAwaited && (isFinished || !steps.isEmpty)
        if wakes { isAwaited = false }
        lock.unlock()
        // If this is refused, the loop has closed, and closing has ended the wait.
        if wakes { _ = shared.deliver(.posted({ self.wake() }, CallSite())) }
    }

    private func wake() {
        waiter?.resume()
        waiter = nil
    }

    /// The next step; `nil` once the work has ended, the calling task is cancelled, or the loop has ended.
    func next(on loop: GuestLoop) async -> Step? {
        await loop.cooperate(isolation: #isolation)
        while !Task.isCancelled {
            let (step, isFinished) = taken()
            if step != nil || isFinished { return step }
            do {
                try await loop.waitFromAnywhere { [self] waiter in arm(waiter) }
            } catch {
                return nil
            }
        }
        return nil
    }

    private func taken() -> (step: Step?, isFinished: Bool) {
        lock.lock()
        defer { lock.unlock() }
        return (steps.popFirst(), isFinished)
    }

    private func arm(_ waiter: Waiter) -> Waiter.Disarm {
        require(self.waiter == nil, "two tasks take the steps of the work started at \(site); let one do it")
        waiter.list(WaitNote(kind: .other, site: site, reason: "a task that waits for a step of long work"))
        lock.lock()
        let isReady = isFinished || !steps.isEmpty
        isAwaited = !isReady
        lock.unlock()
        if isReady {
            waiter.resume()
        } else {
            self.waiter = waiter
        }
        return .call { self.waiter = nil }
    }
}
