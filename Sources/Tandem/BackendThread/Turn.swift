// SPDX-License-Identifier: Apache-2.0
// Turn: the source design's semaphore.
// Idea:   exactly one side may poll and touch what the poll found. The backend waits here; the UI thread passes the turn at the
//         end of a tick and learns from a signal bit (see `Signals`) that it came back, so that it never waits at all.
// Owner:  taken on the backend thread, passed on the UI thread.
// Breaks: a tick that held the turn and returns without passing it stops the guest for ever.

final class Turn: Sendable {
    private let semaphore = Semaphore()

    /// Backend thread: waits for its turn.
    func take() { semaphore.wait() }

    /// UI thread: hands the poll results' memory and the right to poll to the backend.
    func pass() { semaphore.signal() }
}
