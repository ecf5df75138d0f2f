// SPDX-License-Identifier: Apache-2.0
// Reference: what the loop promises about order, in as few lines as it can be said.
// Idea:   timers in a list that is searched, posts and callbacks in two arrays, passes as the documentation tells them. No descriptors and no
//         tasks: when those come is another thread's or the runtime's affair; what becomes of them is looked at in `CallFuzz`.
// Owner:  the test's thread.

final class Reference {
    enum State { case open, closing, closed }

    private struct Timer {
        let id: Int
        let deadline: Int
        let steps: [Step]
    }

    private struct Work {
        let id: Int
        let steps: [Step]
    }

    private(set) var log: [Int] = []
    private(set) var errors = 0
    private(set) var refusedPosts = 0
    private(set) var state = State.open
    private(set) var now = 0
    private var timers: [Timer] = []
    private var due: [Timer] = []
    private var ready: [Work] = []
    private var inbox: [Work] = []
    /// Posts are not, and what has not been scheduled is not yet.
    private var cancellable: Set<Int> = []
    private var cancelled: Set<Int> = []
    private var isTicking = false
    private var closesAfterTick = false
    private(set) var hasClosedInTick = false

    /// There is something that a tick would run.
    var mustHaveWork: Bool {
        state == .open && (!ready.isEmpty || !inbox.isEmpty || timers.contains { $0.deadline <= now })
    }

    func perform(_ step: Step) -> Bool {
        switch step {
        case .arm(let id, let milliseconds, let steps):
            if state == .open {
                timers.append(Timer(id: id, deadline: now + milliseconds, steps: steps))
                cancellable.insert(id)
            }
        case .callSoon(let id, let steps):
            if state != .closed {
                ready.append(Work(id: id, steps: steps))
                cancellable.insert(id)
            }
        case .post(let id, let steps), .postFromElsewhere(let id, let steps):
            if state == .open { inbox.append(Work(id: id, steps: steps)) } else { refusedPosts += 1 }
        case .cancel(let id):
            if state != .closed, cancellable.contains(id) { cancel(id) }
        case .fail:
            errors += 1
            return false
        case .tick: tick()
        case .advance(let milliseconds): now += milliseconds
        case .close:
            if state == .open {
                if isTicking {
                    closesAfterTick = true
                    hasClosedInTick = true
                } else {
                    close()
                }
            }
        default: break
        }
        return true
    }

    private func cancel(_ id: Int) {
        timers.removeAll { $0.id == id }
        cancelled.insert(id)
    }

    func tick() {
        guard !isTicking, state == .open else { return }
        isTicking = true
        repeat {
            let isDue: (Timer) -> Bool = { [now] in $0.deadline <= now }
            // The order of deadlines; equal ones in the order of arming, which the list has.
            due += timers.filter(isDue).enumerated().sorted {
                ($0.element.deadline, $0.offset) < ($1.element.deadline, $1.offset)
            }.map(\.element)
            timers.removeAll(where: isDue)
            takeInbox()
            if due.isEmpty && ready.isEmpty { break }
            runPass()
        } while !closesAfterTick
        isTicking = false
        if closesAfterTick { close() }
    }

    private func takeInbox() {
        ready += inbox
        inbox = []
    }

    /// What stands in each queue when it begins. A close ends each queue after one piece.
    private func runPass() {
        let counts = (due: due.count, ready: ready.count)
        for _ in 0..<counts.due {
            let timer = due.removeFirst()
            run(timer.id, timer.steps)
            if closesAfterTick { break }
        }
        for _ in 0..<counts.ready {
            let work = ready.removeFirst()
            run(work.id, work.steps)
            if closesAfterTick { break }
        }
    }

    private func run(_ id: Int, _ steps: [Step]) {
        guard !cancelled.contains(id) else { return }
        log.append(id)
        for step in steps where !perform(step) { return }
    }

    private func close() {
        state = .closing
        closesAfterTick = false
        isTicking = true
        timers = []
        repeat {
            takeInbox()
            runPass()
        } while !due.isEmpty || !ready.isEmpty || !inbox.isEmpty
        isTicking = false
        state = .closed
    }
}
