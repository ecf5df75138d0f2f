// SPDX-License-Identifier: Apache-2.0
// TaskQueue: what is ready to run, in the order in which it became so.
// Idea:   a ring: callbacks and Swift jobs stand in one line, and are moved out of it.
// Owner:  the UI thread; no lock. Other threads leave their work in the `Inbox`.

/// One piece of work. It is moved, never copied: what it holds is released once, after it has run.
enum Work: ~Copyable {
    /// A record of the loop's table.
    case callback(UInt32)
    case posted(() throws -> Void, CallSite)
    case job(UnownedJob, ExecutorIdentity)
    /// A task that has gone to the end of the line, and where it goes on; see `CooperativeBudget`.
    case continuation(DeferredTask)

    var isJob: Bool {
        switch self {
        case .job: true
        default: false
        }
    }
}

/// A task that waits for its turn in the queue. An object, which is rare, so that every other piece of work stays plain to move and to release.
final class DeferredTask {
    private let continuation: UnsafeContinuation<Void, Never>
    /// Where the task goes on.
    let isolation: (any Actor)?

    init(_ continuation: UnsafeContinuation<Void, Never>, _ isolation: (any Actor)?) {
        self.continuation = continuation
        self.isolation = isolation
    }

    /// Called once, by whoever takes it out of the queue.
    func resume() { continuation.resume() }
}

/// On whose behalf a job runs. The runtime compares this at each step that the job makes, and queues it anew where it differs.
enum ExecutorIdentity {
    /// An actor that lives on the loop, with the executor that the job's task prefers, as far as is known.
    case actor(UnownedTaskExecutor?)
    /// The main actor; likewise.
    case mainActor(UnownedTaskExecutor?)
    /// No actor: a task that prefers the loop.
    case task
    /// No actor: a task of a run.
    case run(RunExecutor)
    /// Of nobody's: a job of the program's pool, kept by a loop that simulates.
    case pool
}

/// Work, and since when it has been ready.
struct ReadyWork: ~Copyable {
    let work: Work
    let readyAt: Nanoseconds
}

/// A timer whose time has come.
struct DueTimer {
    let slot: UInt32
    let readyAt: Nanoseconds
}

/// A descriptor that was found ready.
struct ReadyDescriptor {
    let number: Int32
    /// Its registration's. Whether that still has a watch is looked up when its turn comes.
    let generation: UInt32
    let direction: IOHandle.Direction
    /// A wait that has ended with its report, instead of a watch.
    let wait: IOHandle?
    let readyAt: Nanoseconds
}

/// A class, so that a callback can add to the queue that it was taken from.
final class TaskQueue<Element: ~Copyable> {
    // Safe: allocated by this object; `count` elements from `head` on, around the end, are initialised; freed in deinit.
    @exclusivity(unchecked) private var elements: UnsafeMutablePointer<Element>
    @exclusivity(unchecked) private var capacity: Int
    @exclusivity(unchecked) private var head = 0
    @exclusivity(unchecked) private(set) var count = 0

    init() {
        capacity = 64
        elements = .allocate(capacity: capacity)
    }

    deinit {
        while popFirst() != nil {}
        elements.deallocate()
    }

    var isEmpty: Bool { count == 0 }
    /// Visits what stands in the queue, in order. O(n); for reports.
    func visit(_ body: (borrowing Element) -> Void) {
        for offset in 0..<count { body(elements[index(offset)]) }
    }

    @inline(__always) func append(_ element: consuming Element) {
        if count == capacity { grow(to: 2 * capacity) }
        (elements + index(count)).initialize(to: element)
        count += 1
    }

    @inline(__always) func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = (elements + head).move()
        head = (head + 1) & (capacity - 1)
        count -= 1
        return element
    }

    @inline(__always) private func index(_ offset: Int) -> Int { (head + offset) & (capacity - 1) }

    private func grow(to larger: Int) {
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        let first = min(count, capacity - head)
        moved.moveInitialize(from: elements + head, count: first)
        (moved + first).moveInitialize(from: elements, count: count - first)
        elements.deallocate()
        elements = moved
        capacity = larger
        head = 0
    }
}
