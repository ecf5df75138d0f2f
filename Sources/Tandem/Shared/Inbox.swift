// SPDX-License-Identifier: Apache-2.0
// Inbox: where other threads leave work for the UI thread.
// Idea:   a buffer under a lock. The UI thread swaps it for an empty one, so that it holds the lock only for a moment,
//         however much has arrived. A post updates its counter under the lock that it holds anyway, and reads no clock:
//         everything that arrives between two swaps counts as ready since the first of it.
// Owner:  filled on any thread, emptied on the UI thread.
// Breaks: work that is accepted after the last swap would never run. So `close` decides under the same lock.

final class Inbox: Sendable {
    /// What the inbox accepts at present.
    private enum Taking { case everything, jobsOnly, nothing }

    /// The result of putting an entry in.
    enum Enqueued {
        /// Accepted. The UI thread has to be told.
        case first
        /// Accepted. The UI thread has been told of earlier entries, and has not looked into the inbox since.
        case alreadySignalled
        case closed
    }

    /// How many posts came, and how many entries needed no signal.
    struct Counts {
        fileprivate(set) var posts = 0
        fileprivate(set) var known = 0
    }

    private struct State: ~Copyable {
        var taking = Taking.everything
        var entries = Batch()
        var counts = Counts()
    }

    private let lock = BriefLock()
    // Safe: touched with `lock` held, and nowhere else.
    @exclusivity(unchecked) private nonisolated(unsafe) var state = State()
    // Safe: UI thread only. The buffer that was swapped out last. Kept, so that a program that runs allocates nothing.
    @exclusivity(unchecked) private nonisolated(unsafe) var taken = Batch()
    // Safe: UI thread only. The UI thread has been told that there is something, and has not looked since.
    @exclusivity(unchecked) private nonisolated(unsafe) var isAnnounced = false
    // Safe, both: UI thread only; how many posts there had been at the last two looks.
    @exclusivity(unchecked) private nonisolated(unsafe) var postsAtLook = 0
    @exclusivity(unchecked) private nonisolated(unsafe) var postsAtLookBefore = 0
    /// Signalled for each entry while the loop closes, which waits for entries.
    let arrivals = Semaphore()

    /// Any thread: puts the entry in, or returns `.closed`. `isSignalled` is called under the lock. It has to return
    /// whether the UI thread has been told of the inbox and asked for a tick, and has not yet seen either; then it will
    /// look in here later.
    func append(_ work: consuming Work, isPost: Bool = false, isSignalled: () -> Bool) -> Enqueued {
        lock.lock()
        defer { lock.unlock() }
        if state.taking != .everything {
            guard state.taking == .jobsOnly, work.isJob else { return .closed }
            arrivals.signal()
        }
        state.entries.append(work)
        if isPost { state.counts.posts += 1 }
        guard isSignalled() else { return .first }
        state.counts.known += 1
        return .alreadySignalled
    }

    /// UI thread: moves what has arrived into the queue, in order of arrival, but at most `limit` entries, so that very
    /// many posts do not keep a tick beyond its budget. Returns how many were moved.
    func empty(into queue: inout TaskQueue<ReadyWork>, limit: Int = .max) -> Int {
        if taken.isEmpty { swapOut() }
        return taken.move(atMost: limit, into: &queue)
    }

    /// UI thread: whether there is more than the last pass has moved.
    var hasLeftovers: Bool { isAnnounced || !taken.isEmpty }
    var leftovers: Int { taken.count }
    /// UI thread: when the first of the entries came that were swapped out last.
    var beganAt: Nanoseconds { taken.readyAt }
    /// UI thread: how many of those were posts. Swift's jobs are not counted: usually another task waits for one, so
    /// that it should not be delayed.
    var newPosts: Int { postsAtLook - postsAtLookBefore }

    /// UI thread: notes that there is something. A pass may first have to finish what was swapped out before.
    func announce() { isAnnounced = true }

    private func swapOut() {
        isAnnounced = false
        taken.reuse()
        postsAtLookBefore = postsAtLook
        lock.lock()
        swap(&state.entries, &taken)
        postsAtLook = state.counts.posts
        lock.unlock()
    }

    /// Accepts no more posts, but still the jobs of tasks that are ending.
    func closeToPosts() {
        lock.lock()
        defer { lock.unlock() }
        state.taking = .jobsOnly
    }

    /// Accepts nothing more.
    func close() {
        lock.lock()
        defer { lock.unlock() }
        state.taking = .nothing
    }

    /// Any thread.
    var counts: Counts {
        lock.lock()
        defer { lock.unlock() }
        return state.counts
    }

    /// UI thread.
    var isEmpty: Bool {
        lock.lock()
        defer { lock.unlock() }
        return state.entries.isEmpty && !hasLeftovers
    }
}

/// Entries in the order in which they came, taken out from the front. They stand in chunks that are used again: growing copies nothing.
private struct Batch: ~Copyable {
    /// 16 KB.
    private static let chunkSize = 512
    /// A megabyte.
    private static let mostChunksKept = 64

    // Safe: each has room for `chunkSize` entries, of which those from `moved` to `end` are initialised; freed in deinit.
    private var chunks = OwnedArray<UnsafeMutablePointer<Work>>()
    // Safe: the chunk in which `end` lies, unless a new one has to begin there.
    private var last: UnsafeMutablePointer<Work>?
    private var moved = 0
    private var end = 0
    /// When the first entry came.
    private(set) var readyAt: Nanoseconds = 0

    deinit {
        for index in moved..<end { (chunks[index / Self.chunkSize] + index % Self.chunkSize).deinitialize(count: 1) }
        for index in 0..<chunks.count { chunks[index].deallocate() }
    }

    var count: Int { end - moved }
    var isEmpty: Bool { end == moved }

    @inline(__always) mutating func append(_ work: consuming Work) {
        let offset = end % Self.chunkSize
        if offset == 0 { beginChunk() }
        (last! + offset).initialize(to: work)
        end += 1
    }

    @inline(never) private mutating func beginChunk() {
        if end == 0 { readyAt = LoopClock.machine }
        let index = end / Self.chunkSize
        if index == chunks.count { chunks.append(.allocate(capacity: Self.chunkSize)) }
        last = chunks[index]
    }

    mutating func move(atMost limit: Int, into queue: inout TaskQueue<ReadyWork>) -> Int {
        let number = min(limit, count)
        var left = number
        while left > 0 {
            let (chunk, offset) = moved.quotientAndRemainder(dividingBy: Self.chunkSize)
            let count = min(left, Self.chunkSize - offset)
            for entry in chunks[chunk] + offset..<chunks[chunk] + offset + count {
                queue.append(ReadyWork(work: entry.move(), readyAt: readyAt))
            }
            moved += count
            left -= count
        }
        return number
    }

    /// Begins anew, empty. A flood keeps its memory for as long as it lasts.
    mutating func reuse() {
        let kept = max(Self.mostChunksKept, end / Self.chunkSize)
        while chunks.count > kept { chunks.remove(at: chunks.count - 1).deallocate() }
        moved = 0
        end = 0
    }
}
