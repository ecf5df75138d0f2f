// SPDX-License-Identifier: Apache-2.0
// TaskQueue: a first-in, first-out queue of work that is ready to run.
// Idea:   a ring buffer of noncopyable entries. Callbacks and Swift jobs are in the same queue, and are moved out of
//         it.
// Owner:  the UI thread; no lock. Other threads put their work into the `Inbox`.

/// One piece of work. It is moved, never copied: what it holds is released once, after it has run.
enum Work: ~Copyable {
    /// The number of a record in the loop's `CallbackTable`.
    case callback(UInt32)
    case posted(() throws -> Void, CallSite)
    case job(UnownedJob, ExecutorIdentity)
    /// A task that has gone to the end of the queue; see `CooperativeBudget`.
    case continuation(DeferredTask)

    var isJob: Bool {
        switch self {
        case .job: true
        default: false
        }
    }
}

/// A task that waits in the queue. It is a rare case, and an object, so that the other kinds of work stay cheap to move
/// and to release.
final class DeferredTask {
    private let continuation: UnsafeContinuation<Void, Never>
    /// The actor on which the task goes on.
    let isolation: (any Actor)?

    init(_ continuation: UnsafeContinuation<Void, Never>, _ isolation: (any Actor)?) {
        self.continuation = continuation
        self.isolation = isolation
    }

    /// Resumes the task. Called once, by the code that removes this from the queue.
    func resume() { continuation.resume() }
}

/// The executor that a job is run with. The runtime compares it with the one that the task needs at each step, and
/// enqueues the job anew if they differ.
enum ExecutorIdentity {
    /// An actor whose executor is the loop, and the executor that the job's task prefers, if it is known.
    case actor(UnownedTaskExecutor?)
    /// The main actor, and the executor that the job's task prefers, if it is known.
    case mainActor(UnownedTaskExecutor?)
    /// No actor: a task that prefers the loop.
    case task
    /// No actor: a task of a run.
    case run(RunExecutor)
    /// No executor of the loop's: a job of the program's pool, kept by a loop that simulates.
    case pool
}

/// A piece of work, and the time at which it became ready.
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
    /// The generation of its registration. Whether a watch is still there is checked when the report's turn comes.
    let generation: UInt32
    let direction: IOHandle.Direction
    /// The wait that this report ends, if it is a wait and not a watch.
    let wait: IOHandle?
    let readyAt: Nanoseconds
}

/// No access to it lasts while a callback runs, so that a callback can add to the queue from which it was taken. A structure, so that
/// the runtime needs no type for each kind of queue; see `OwnedArray`.
struct TaskQueue<Element: ~Copyable>: ~Copyable {
    // Safe: allocated by this structure; `count` elements from `head` on, around the end, are initialised; freed in
    // deinit.
    private var elements: UnsafeMutablePointer<Element>
    private var capacity: Int
    private var head = 0
    private(set) var count = 0

    init() {
        capacity = 64
        elements = .allocate(capacity: capacity)
    }

    deinit {
        for offset in 0..<count { (elements + index(offset)).deinitialize(count: 1) }
        elements.deallocate()
    }

    var isEmpty: Bool { count == 0 }
    /// Visits the entries, in order. O(n); for reports.
    func visit(_ body: (borrowing Element) -> Void) {
        for offset in 0..<count { body(elements[index(offset)]) }
    }

    @inline(__always) mutating func append(_ element: consuming Element) {
        if count == capacity { grow(to: 2 * capacity) }
        (elements + index(count)).initialize(to: element)
        count += 1
    }

    @inline(__always) mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = (elements + head).move()
        head = (head + 1) & (capacity - 1)
        count -= 1
        return element
    }

    @inline(__always) private func index(_ offset: Int) -> Int { (head + offset) & (capacity - 1) }

    private mutating func grow(to larger: Int) {
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
